"""Makes the delivery agents that master.cf names."""

from __future__ import annotations

from functools import partial
from typing import Any

from postroad.app.core import Core
from postroad.app.dnsfilter import filtered
from postroad.base.config import Config, Service
from postroad.base.log import Log
from postroad.base.params import Settings
from postroad.delivery.mailbox.direct import DirectWriter, Writers
from postroad.delivery.mailbox.ends import DiscardAgent, ErrorAgent, RetryAgent
from postroad.delivery.mailbox.local import LocalAgent
from postroad.delivery.mailbox.remote import HelperWriter
from postroad.delivery.mailbox.virtual import VirtualAgent
from postroad.delivery.smtp.agent import SmtpAgent
from postroad.delivery.smtp.filtered import reply_filter
from postroad.delivery.smtp.logins import open_logins
from postroad.delivery.smtp.security import Security
from postroad.delivery.smtp.tls_engine import TlsEngine
from postroad.delivery.smtp.tls_policy import TlsPolicies
from postroad.intake.intake import Intake
from postroad.model.job import Job
from postroad.model.outcome import Outcome
from postroad.model.params import SYSLOG_NAME
from postroad.model.ports import Agent, Resolver
from postroad.net.dane import DaneLookup, read_digests
from postroad.net.hostsfile import HostsFile
from postroad.net.interfaces import OwnAddresses
from postroad.net.mailhosts import MailHosts
from postroad.net.params import DNSSEC_PROBE, TLS_DANE_DIGESTS
from postroad.net.resolver import CachingResolver
from postroad.outcome.statusfilter import FilteredAgent, status_filter
from postroad.tables.context import TableContext

PROGRAMS = ("smtp", "lmtp", "virtual", "local", "error", "discard")
MAILBOXES = ("virtual", "local")


class AgentBuilder:
    """Makes the agents of one configuration."""

    def __init__(
        self,
        config: Config,
        core: Core,
        *,
        own: OwnAddresses,
        resolver: CachingResolver,
        hosts: HostsFile,
        tables: TableContext,
        intake: Intake,
    ) -> None:
        self._config = config
        self._core = core
        self._own = own
        self._resolver = resolver
        self._hosts = hosts
        self._tables = tables
        self._intake = intake
        self._log = core.log.named(config.settings[SYSLOG_NAME])

    def agents(self, programs: dict[str, tuple[str, Log]]) -> dict[str, Agent]:
        """Return the agent of each transport, and note the program that each logs as."""
        agents: dict[str, Agent] = {}
        for service in self._config.services:
            program = service.command
            if service.type != "unix" or program not in PROGRAMS:
                continue
            settings = self._config.settings_for(service)
            log = self._core.log.named(settings[SYSLOG_NAME])
            programs[service.name] = (program, log)
            agent = self._agent(service, program, settings, log)
            status = status_filter(settings, program, self._tables, log)
            agents[service.name] = agent if status is None else FilteredAgent(agent, service.name, status)
        # Routing and scheduler use these whatever master.cf says.
        for name, agent in (("error", ErrorAgent()), ("retry", RetryAgent()), ("discard", DiscardAgent())):
            programs.setdefault(name, ("discard" if name == "discard" else "error", self._log))
            agents.setdefault(name, agent)
        return agents

    def _agent(self, service: Service, program: str, settings: Settings, log: Log) -> Agent:
        match program:
            case "smtp" | "lmtp":
                return self._smtp(service.name, program, settings, log)
            case "virtual":
                return self._virtual(service.name, settings, log)
            case "local":
                return self._local(service.name, settings, log)
            case "discard":
                return DiscardAgent()
            case _:
                return RetryAgent() if service.name == "retry" else ErrorAgent()

    def _smtp(self, name: str, program: str, settings: Settings, log: Log) -> SmtpAgent:
        core = self._core
        resolver = filtered(self._resolver, settings, program, self._tables, log)
        return SmtpAgent(
            settings,
            transport=name,
            program=program,
            hosts=MailHosts(settings, resolver, self._own, self._hosts, log, rng=core.rng, program=program),
            log=log,
            clock=core.clock,
            wheel=core.wheel,
            loop=core.loop,
            own=self._own.own,
            pass_on=self._pass_on,
            security=self._security(settings, program, resolver, log),
            reply_filter=reply_filter(settings, program, self._tables),
        )

    def _virtual(self, name: str, settings: Settings, log: Log) -> VirtualAgent:
        return VirtualAgent(
            settings,
            transport=name,
            writer=self._writers(),
            tables=self._tables,
            log=log,
            clock=self._core.clock,
        )

    def _local(self, name: str, settings: Settings, log: Log) -> LocalAgent:
        return LocalAgent(
            settings,
            transport=name,
            tables=self._tables,
            log=log,
            clock=self._core.clock,
            new_key=self._intake.new_key,
            spool=self._core.store.spool,
            expand=self._intake.expand,
            addresses=self._own.own,
        )

    def _security(self, settings: Settings, program: str, resolver: Resolver, log: Log) -> Security:
        """Return what is asked of a client's connections: TLS, and logins."""
        core = self._core
        warn = partial(log.warning, program)
        keyring, digests = core.keyring, settings[TLS_DANE_DIGESTS]
        engine = TlsEngine(settings, program, keyring.certificates.files, core.clock.steady)
        keyring.attach(engine, lambda user, new: user.replace(new.files))
        return Security(
            settings,
            program,
            policies=TlsPolicies(settings, program, self._tables, warn),
            engine=engine,
            dane=DaneLookup(resolver, read_digests(digests), log, probe=settings[DNSSEC_PROBE]),
            logins=open_logins(settings, program, self._tables, core.clock),
            warn=warn,
        )

    def _writers(self) -> Writers:
        core = self._core
        if core.writers is None:
            helper = HelperWriter(core.helper, core.loop) if core.helper is not None else None
            core.writers = Writers(DirectWriter(core.clock), helper)
        return core.writers

    def _pass_on(self, job: Job, transport: str, report: Any) -> None:
        """Hand a job to best_mx_transport."""
        name, _, nexthop = transport.partition(":")
        lanes = self._core.transports.get(name)
        if lanes is None:
            job.all(Outcome("4.3.0", f"best_mx_transport: no such service in master.cf: {name}"))
            report(job)
            return
        if name == job.transport:
            job.all(Outcome("5.4.6", f"mail for {job.nexthop} loops back to myself"))
            report(job)
            return
        job.transport, job.nexthop = name, nexthop or job.nexthop
        service = self._config.service(name)
        if job.probe and service is not None and service.command in MAILBOXES:
            # There is nothing to deliver: the tables say which addresses exist.
            job.all(Outcome("2.0.0", "delivers to mailbox", service.command))
            report(job)
            return
        try:
            lanes.agent.deliver(job, report)
        except Exception as error:  # noqa: BLE001 - a defect in an agent must not lose mail
            self._log.error("qmgr", f"{job.message.id}: transport {name} failed: {error!r}")
            job.all(Outcome("4.3.0", "unknown mail transport error"))
            report(job)
