"""Joins the stages.  The only module that knows them all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from postroad.admin.submission import submission_policy
from postroad.app import flushing
from postroad.app.agents import AgentBuilder
from postroad.app.contentfilter import before_queue, intake_settings, pickup_settings
from postroad.app.core import Core
from postroad.app.dnsfilter import filtered
from postroad.app.doors import Doors
from postroad.app.probes import AgentProber, probe_settings
from postroad.app.screens import screen_of, screens, session_settings
from postroad.app.stages import Stages
from postroad.app.strain import strained
from postroad.auth.build import authenticator
from postroad.base import tasks
from postroad.base.config import Config, Service
from postroad.base.errors import ConfigurationError, Problem
from postroad.base.log import Log
from postroad.base.params import Settings
from postroad.filters.service import other_milters, smtpd_milters
from postroad.intake.intake import Intake
from postroad.listener.postscreen import Postscreen
from postroad.mail.rewrite import Rewriter
from postroad.model.client import Client
from postroad.model.explain import Refusal
from postroad.model.message import Message, Recipient
from postroad.model.outcome import Outcome
from postroad.model.params import DEFAULT_PROCESS_LIMIT, SYSLOG_NAME
from postroad.model.ports import Agent, Authenticator, Filters
from postroad.net.counts import (
    AUTH,
    CONNECTION,
    MESSAGE,
    NEW_TLS,
    RECIPIENT,
    SERVICES,
    EventCount,
    ServiceCount,
)
from postroad.net.hostsfile import HostsFile
from postroad.net.interfaces import OwnAddresses, own_addresses
from postroad.net.params import SMTPD_PEERNAME_LOOKUP
from postroad.net.peername import identify
from postroad.net.resolver import CachingResolver, open_resolver
from postroad.net.tls.errors import TlsError
from postroad.net.tls.server import ServerTls
from postroad.outcome.notices import Notices, success_wanted
from postroad.outcome.outcomes import AttemptOutcomes
from postroad.policy.service import ServicePolicy
from postroad.policy.verifier import AddressVerifier
from postroad.routing.recipients import RecipientCheck
from postroad.routing.router import Router
from postroad.scheduler.retry import back_off
from postroad.scheduler.transport import TransportLanes
from postroad.smtpd.given import Means, Neighbours
from postroad.smtpd.guests import Places
from postroad.smtpd.params import RATE_TIME_UNIT
from postroad.smtpd.rates import RateCounts
from postroad.smtpd.service import SmtpdService
from postroad.smtpd.settings import TlsLevel, tls_level
from postroad.smtpd.tally import Counters
from postroad.store.params import REFUSAL_RECORD_SIZE
from postroad.tables.context import TableContext


def build(config: Config, core: Core) -> Stages:
    """Build every stage from a configuration.  ConfigurationError names what cannot be built."""
    try:
        return _Builder(config, core).stages()
    except ValueError as error:
        raise ConfigurationError([Problem("", str(error))]) from error


class _Builder:
    """One build; each method makes one stage."""

    def __init__(self, config: Config, core: Core) -> None:
        self.config = config
        self.core = core
        self.settings = settings = config.settings
        self.log = core.log.named(settings[SYSLOG_NAME])
        self.own: OwnAddresses = own_addresses(settings)
        self.resolver: CachingResolver = open_resolver(settings, core.clock)
        self.hosts = HostsFile(core.clock)
        self.rewriter = Rewriter(settings)
        self.tables = self._tables(settings)
        self.router = Router(settings, self.tables, self.log, self.own)
        self.intake = self._intake(settings, self.tables)
        self.doors: dict[str, Doors] = {}
        self.prober: AgentProber
        self.other_filters = other_milters(settings, log=self.log, wheel=core.wheel, loop=core.loop)
        self.notices = Notices(
            settings,
            content=core.store.content,
            new_key=self.intake.new_key,
            expand=self.intake.expand,
            log=self.log,
            clock=core.clock,
            filters=self.other_filters,
        )

    def stages(self) -> Stages:
        programs: dict[str, tuple[str, Log]] = {}
        agents = AgentBuilder(
            self.config,
            self.core,
            own=self.own,
            resolver=self.resolver,
            hosts=self.hosts,
            tables=self.tables,
            intake=self.intake,
        ).agents(programs)
        self.prober = self._prober(agents, programs)
        outcomes = AttemptOutcomes(
            self.settings,
            store=self.core.store,
            notices=self.notices,
            programs=programs,
            back_off=partial(back_off, settings=self.settings),
            log=self.log,
            clock=self.core.clock,
        )
        under_stress = strained(self.config)
        services = {each.key: self._smtpd(each, under_stress) for each in self.config.smtp_servers}
        # The lanes last: they outlive these settings, and change only if all else could be built.
        return Stages(
            router=self.router,
            outcomes=outcomes,
            services=services,
            screens={each.key: self._screen(each, services, under_stress) for each in screens(self.config)},
            submission=self._submission(),
            transports=self._transports(agents),
            agents=list(agents.values()),
            doors=self.doors,
        )

    def _tables(self, settings: Settings) -> TableContext:
        return TableContext(
            config_directory=self.config.directory,
            texts=settings.texts,
            clock=self.core.clock,
            warn=lambda text: self.log.warning("trivial-rewrite", text),
            private=self.core.keyring.file,
        )

    def _limit(self, service: Service | None) -> int:
        """Return a service's process limit, for all workers together; 0 for none."""
        settings = self.settings if service is None else self.config.settings_for(service)
        maxproc = None if service is None else service.maxproc
        return settings[DEFAULT_PROCESS_LIMIT] if maxproc is None else maxproc

    def _share(self, service: Service | None) -> int:
        """Return the worker's part of a service's process limit; 0 for none."""
        limit = self._limit(service)
        return max(1, -(-limit // self.core.workers)) if limit else 0

    def _taken(self, service: Service) -> ServiceCount | None:
        """Return the count of a service's sessions that all workers share."""
        names = sorted(each.key for each in self.config.services if each.type in ("inet", "pass"))
        number = names.index(service.key)
        return self.core.counts.sessions(number) if number < SERVICES else None

    def _queued(self, service: Service) -> ServiceCount | None:
        """Return the count of those who wait for a session in any worker: only postscreen asks for it."""
        names = sorted(each.key for each in self.config.services if each.type in ("inet", "pass"))
        number = SERVICES - 1 - names.index(service.key)
        known = service.type == "pass" and number >= len(names)
        return self.core.counts.sessions(number) if known else None

    # --- in

    def _prober(self, agents: Mapping[str, Agent], programs: Mapping[str, tuple[str, Log]]) -> AgentProber:
        """Return what finds out whether addresses would be taken."""
        settings = probe_settings(self.settings)
        router = self.router
        if settings is not self.settings:
            router = Router(settings, self.tables, self.log, self.own)
        return AgentProber(
            router=router,
            recipients=RecipientCheck(settings, self.tables, router),
            expand=self.intake.expand,
            agents=agents,
            programs=programs,
            new_key=self.intake.new_key,
            clock=self.core.clock,
        )

    def _screen(self, service: Service, targets: Mapping[str, SmtpdService], under_stress: Config) -> Postscreen:  # fmt: skip  # noqa: E501
        settings = self.config.settings_for(service)
        tables = self.tables if settings is self.settings else self._tables(settings)
        return screen_of(
            service,
            settings,
            self.core,
            targets=targets,
            tables=tables,
            resolver=self.resolver,
            taken=self._taken(service),
            strained=under_stress.settings_for(service),
        )

    def _smtpd(self, service: Service, under_stress: Config) -> SmtpdService:
        """Make a service and, if its places have an end, what has its sessions while all are taken."""
        settings = session_settings(service, self.config)
        log = self.core.log.named(settings[SYSLOG_NAME])
        same = settings is self.settings
        tables = self.tables if same else self._tables(settings)
        router = self.router if same else Router(settings, tables, log, self.own)
        calm = self._smtpd_of(service, settings, tables, router)
        if self._limit(service):
            self._smtpd_of(service, session_settings(service, under_stress), tables, router, calm)
        return calm

    def _smtpd_of(self, service: Service, settings: Settings, tables: TableContext, router: Router, calm: SmtpdService | None = None) -> SmtpdService:  # fmt: skip  # noqa: E501
        log = self.core.log.named(settings[SYSLOG_NAME])
        recipients = RecipientCheck(settings, tables, router)
        policy = ServicePolicy(
            settings,
            tables=tables,
            router=router,
            recipients=recipients,
            log=log,
            own_address=self.own.own.__contains__,
            resolver=filtered(self.resolver, settings, "smtpd", tables, log),
            hosts=self.hosts.addresses,
            verifier=AddressVerifier(settings, prober=self.prober, log=log, clock=self.core.clock),
        )
        asked, intake = before_queue(settings, policy, self._intake_of(settings), log, self.core)
        neighbours = Neighbours(
            policy=asked,
            intake=intake,
            identify=self._identifier(settings, log),
            has_space=self.intake.has_space,
            etrn=self._etrn(settings, tables, log),
            tls=self._tls(service, settings) if calm is None else calm.tls,
            authenticator=self._authenticator(settings, tables, log) if calm is None else calm.authenticator,
            filters=self._filters(settings, tables, log, router) if calm is None else calm.filters,
            note_refusal=self._refusals(),
        )
        means, places = self._means(log, tables), self._places(service)
        return SmtpdService(settings, means, neighbours, places, name=service.name, front=calm)

    def _means(self, log: Log, tables: TableContext) -> Means:
        core = self.core
        counters = Counters(
            sessions=core.counts,
            new_tls=self._events(NEW_TLS),
            auths=self._events(AUTH),
            rates=RateCounts(*map(self._events, (CONNECTION, MESSAGE, RECIPIENT))),
        )
        return Means(
            log=log, clock=core.clock, wheel=core.wheel, loop=core.loop, tables=tables, counters=counters
        )

    def _places(self, service: Service) -> Places:
        return Places(
            limit=self._limit(service),
            taken=self._taken(service),
            queued=self._queued(service),
            on_full=self._doors(service.key).shut,
        )

    def _authenticator(self, settings: Settings, tables: TableContext, log: Log) -> Authenticator | None:
        core = self.core
        return authenticator(settings, tables, log, core.clock, core.loop, workers=core.workers)

    def _filters(self, settings: Settings, tables: TableContext, log: Log, router: Router) -> Filters | None:
        core = self.core
        return smtpd_milters(
            settings, tables=tables, log=log, wheel=core.wheel, loop=core.loop, router=router
        )

    def _etrn(self, settings: Settings, tables: TableContext, log: Log) -> flushing.Etrn | None:
        flush = self.core.flush_site
        return None if flush is None else flushing.Etrn(settings, tables, log, flush)

    def _tls(self, service: Service, settings: Settings) -> ServerTls | None:
        """Return the certificates of a service, which follow their files; None where there is no TLS."""
        if tls_level(settings) is TlsLevel.PLAIN:
            return None
        try:
            return self.core.keyring.server(settings)
        except TlsError as error:
            raise ValueError(f"service {service.name}: {error}") from error

    def _refusals(self) -> Callable[[Refusal], None] | None:
        """Return what keeps why clients are refused; None where nothing of it is kept."""
        kept, size = self.core.refusals, self.settings[REFUSAL_RECORD_SIZE]
        if kept is None:
            return None
        kept.size = size
        return kept.note if size else None

    def _events(self, kind: int) -> EventCount:
        """Return the count of what has a limit by time; the unit is the server's, not a service's."""
        unit, clock = self.settings[RATE_TIME_UNIT], self.core.clock
        return self.core.counts.events(kind, lambda: int(clock.steady() // unit))

    def _intake(self, settings: Settings, tables: TableContext) -> Intake:
        core = self.core
        return Intake(
            settings,
            store=core.store,
            ids=core.ids,
            log=self.log,
            clock=core.clock,
            accepted=core.accepted,
            tables=tables,
            rewriter=self.rewriter,
            own=self.own,
            expanded=self._expanded,
        )

    def _intake_of(self, settings: Settings) -> Intake:
        """Return the intake of a service: the server's, unless its mail is taken in another way."""
        own = intake_settings(settings, self.settings)
        return self.intake if own is self.settings else self._intake(own, self.tables)

    def _identifier(self, settings: Settings, log: Log) -> Any:
        """Return what finds out a client's name; None where nobody wants to know."""
        if not settings[SMTPD_PEERNAME_LOOKUP]:
            return None

        async def known(client: Client) -> None:
            await identify(client, self.resolver, self.hosts, log)

        return known

    def _submission(self) -> SmtpdService:
        neighbours = Neighbours(
            policy=submission_policy(self.settings, self.tables),
            intake=self._intake_of(pickup_settings(self.config)),
            has_space=self.intake.has_space,
            etrn=flushing.nothing,
            local_filters=self.other_filters,
        )
        places = Places(limit=self._share(None), on_full=self._doors("").shut)
        means = self._means(self.log, self.tables)
        return SmtpdService(self.settings, means, neighbours, places, local=True)

    def _doors(self, name: str) -> Doors:
        return self.doors.setdefault(name, Doors())

    def _expanded(self, message: Message, recipients: Sequence[Recipient]) -> None:
        """Tell a sender who asked for it that an address became several others (RFC 3461 5.2.7.3)."""
        outcome = Outcome("2.0.0", "alias expanded", "none", action="expanded")
        told = [(each, outcome) for each in recipients if success_wanted(each, outcome)]
        if told:
            tasks.start(self.notices.make(message, [], [], told), self._queue_notices)

    def _queue_notices(self, notices: list[Message] | None, error: BaseException | None) -> None:
        if notices is None:
            self.log.warning("bounce", f"cannot make a notice: {error}")
            return
        for notice in notices:
            self.core.store.accept(notice, partial(self._notice_queued, notice))

    def _notice_queued(self, notice: Message, error: BaseException | None) -> None:
        if error is None:
            self.core.accepted(notice)

    # --- out

    def _transports(self, agents: Mapping[str, Agent]) -> dict[str, TransportLanes]:
        """Return the lanes of each transport; those that exist keep their mail and their windows."""
        made: dict[str, TransportLanes] = {}
        for name, agent in agents.items():
            service = self.config.service(name)
            limit = self._share(service)
            lanes = self.core.transports.get(name)
            if lanes is None:
                lanes = TransportLanes(name, agent, self.settings, limit, self.core.workers)
            else:
                lanes.configure(agent, self.settings, limit, self.core.workers)
            made[name] = lanes
        self.core.transports = made
        return made
