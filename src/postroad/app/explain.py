"""What a session would be like: the server's own stages for a client that is only imagined.

Nothing is sent, queued or remembered.  Policy servers and Python functions are asked as ever; greylisting
and verified addresses are read, not changed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from postroad.app.contentfilter import intake_settings
from postroad.app.dnsfilter import filtered
from postroad.app.sockets import endpoints
from postroad.app.wire import Answer, Caller
from postroad.auth.params import AUTH_ENABLE
from postroad.base.clock import Clock, SystemClock
from postroad.base.config import Config, Service
from postroad.base.errors import PostroadError, TableUnavailable
from postroad.base.ids import QueueIds
from postroad.base.log import ListSink, Log
from postroad.base.params import Settings
from postroad.base.wheel import Wheel
from postroad.delivery.mailbox.expand import CannotExpandError, Expander
from postroad.filters.params import SMTPD_MILTERS
from postroad.intake.intake import Intake
from postroad.listener.params import SMTPD_SERVICE
from postroad.mail.address import to_external
from postroad.mail.rewrite import Rewriter
from postroad.model.client import Client
from postroad.model.explain import Destination, Explanation, Said, Target
from postroad.model.message import Message, Recipient
from postroad.model.params import ALIAS_MAPS, QUEUE_DIRECTORY, SYSLOG_NAME
from postroad.model.ports import Resolver
from postroad.model.tls import TlsFacts
from postroad.net.hostsfile import HostsFile
from postroad.net.interfaces import own_addresses
from postroad.net.params import SMTPD_PEERNAME_LOOKUP
from postroad.net.peername import identify
from postroad.net.resolver import open_resolver
from postroad.net.watched import WatchedResolver
from postroad.policy.recorder import Recorder
from postroad.policy.service import ServicePolicy
from postroad.policy.verifier import CachedVerifier
from postroad.routing.recipients import RecipientCheck
from postroad.routing.router import Router, extensions_of
from postroad.scheduler.places import FilterRules
from postroad.smtpd.given import Means, Neighbours
from postroad.smtpd.service import SmtpdService
from postroad.smtpd.settings import TlsLevel, tls_level
from postroad.store.memory import MemoryStore
from postroad.tables.context import TableContext
from postroad.tables.maps import Maps
from postroad.tables.ours import OwnDomains

_TLS: Final = TlsFacts("TLSv1.3", "TLS_AES_256_GCM_SHA384", 256, 256)
_PORT: Final = 40000
_LINE: Final = b"x" * 70 + b"\r\n"
#: Lines of the log that say nothing to who asks why.
_USUAL: Final = ("connect from ", "disconnect from ", "lost connection after ", "No server certs available")


@dataclass(frozen=True, slots=True)
class Question:
    """A session to imagine.  ``name`` "" is looked up, as smtpd does; ``size`` is that of the message."""

    client: str
    sender: str
    recipients: tuple[str, ...]
    helo: str = ""
    name: str = ""
    user: str = ""
    tls: bool = False
    size: int = 0
    service: str = ""


def service_of(config: Config, wanted: str) -> Service:
    """Return the smtpd service of this name or port ("": the one on port 25, or else the first)."""
    services = config.smtp_servers
    if not services:
        raise PostroadError("master.cf has no inet service that runs smtpd")
    ports = {place.service: str(place.port) for place in endpoints(config)[0]}
    screens = [each for each in config.services if each.type == "inet" and each.command == "postscreen"]
    for each in services:
        # Who passes postscreen is handed to the service that has no port of its own.
        doors = [
            s for s in screens if each.type == "pass" and config.settings_for(s)[SMTPD_SERVICE] == each.name
        ]
        names = [name for door in (each, *doors) for name in _names(door, ports)]
        if (wanted or "25") in names or (not wanted and "smtp" in names):
            return each
    if wanted:
        known = ", ".join(each.name for each in services)
        raise PostroadError(f"no smtpd service {wanted} in master.cf (there are: {known})")
    return services[0]


def _names(service: Service, ports: Mapping[str, str]) -> tuple[str, ...]:
    return service.name, service.key, service.name.rpartition(":")[2], ports.get(service.key, "")


async def explain(config: Config, question: Question, *, resolver: Resolver | None = None, clock: Clock | None = None) -> Explanation:  # fmt: skip  # noqa: E501
    """Imagine a session; ValueError or PostroadError for a configuration that cannot be used."""
    imagined = _Imagined(
        config, service_of(config, question.service), question, resolver, clock or SystemClock()
    )
    return await imagined.run()


class _Imagined:
    """One session."""

    def __init__(self, config: Config, service: Service, question: Question, resolver: Resolver | None, clock: Clock) -> None:  # fmt: skip  # noqa: E501
        self._config = config
        self._service = service
        self._question = question
        self._clock = clock
        self._settings = settings = config.settings_for(service)
        self._sink = ListSink()
        self._log = Log(self._sink, settings[SYSLOG_NAME])
        self._recorder = Recorder()
        self._own = own_addresses(config.settings)
        asked = open_resolver(config.settings, clock) if resolver is None else resolver
        self._resolver = WatchedResolver(asked, self._recorder.lookup)
        self._store = MemoryStore(clock)
        self._notes: list[str] = []
        self._caller: Caller
        # The server's, then the service's.
        self._tables = self._context(config.settings)
        self._router = Router(config.settings, self._tables, self._log, self._own)
        self._smtpd = self._smtpd_service(settings)

    def _context(self, settings: Settings) -> TableContext:
        return TableContext(
            config_directory=self._config.directory,
            texts=settings.texts,
            clock=self._clock,
            warn=lambda text: self._log.warning("trivial-rewrite", text),
            watch=self._recorder.lookup,
        )

    def _smtpd_service(self, settings: Settings) -> SmtpdService:
        same = settings is self._config.settings
        tables = self._tables if same else self._context(settings)
        router = self._router if same else Router(settings, tables, self._log, self._own)
        policy = ServicePolicy(
            settings,
            tables=tables,
            router=router,
            recipients=RecipientCheck(settings, tables, router),
            log=self._log,
            own_address=self._own.own.__contains__,
            resolver=filtered(self._resolver, settings, "smtpd", tables, self._log),
            hosts=HostsFile(self._clock).addresses,
            verifier=CachedVerifier(settings, self._clock),
            recorder=self._recorder,
        )
        loop = asyncio.get_running_loop()
        intake = self._intake(intake_settings(settings, self._config.settings))
        neighbours = Neighbours(
            policy=policy,
            intake=intake,
            identify=self._identify,
            has_space=intake.has_space if self._has_queue() else lambda _size: True,
        )
        means = Means(log=self._log, clock=self._clock, wheel=Wheel(loop), loop=loop, tables=tables)
        made = SmtpdService(settings, means, neighbours, name=self._service.name)
        # Nobody needs to be slowed down; what begins with TLS begins behind its handshake here.
        made.options = replace(made.options, error_sleep=0.0)
        made.security = replace(made.security, level=TlsLevel.PLAIN)
        return made

    def _has_queue(self) -> bool:
        directory = self._config.settings[QUEUE_DIRECTORY]
        if Path(directory).is_dir():
            return True
        self._notes.append(f"{directory} is not there yet: whether there is room for mail is not known")
        return False

    def _intake(self, settings: Settings) -> Intake:
        return Intake(
            settings,
            store=self._store,
            ids=QueueIds(self._clock),
            log=self._log,
            clock=self._clock,
            accepted=lambda _message: None,
            tables=self._tables,
            rewriter=Rewriter(self._config.settings),
            own=self._own,
        )

    async def _identify(self, client: Client) -> None:
        """Say who the client is: as it was named, or as the DNS has it."""
        name = self._question.name
        if name:
            client.name = client.reverse_name = name
            code = 5 if name == "unknown" else 2
            client.name_code = client.reverse_name_code = code
        elif self._settings[SMTPD_PEERNAME_LOOKUP]:
            await identify(client, self._resolver, HostsFile(self._clock), self._log)

    # --- the dialogue

    async def run(self) -> Explanation:
        """Have the dialogue."""
        question = self._question
        caller = Caller(self._smtpd, (question.client, _PORT), ("", self._port()))
        self._caller = caller
        said = [self._said("CONNECT", await caller.greeting())]
        lookups, said[0] = said[0].lookups, replace(said[0], lookups=())
        session = caller.connection.session
        client = session.client
        destinations: tuple[Destination, ...] = ()
        if said[0].code < 400:
            self._secure(caller)
            said += await self._envelope(caller)
            if said[-1].command == "end of data" and said[-1].code == 250:
                destinations = await self._destinations()
        caller.hang_up()
        self._note_what_was_not_tried()
        trusted = session.memory.get("policy.mynetworks")
        shown = f"{client.address} ({client.name})"
        return Explanation(
            self._service.name, shown, trusted, tuple(said), destinations, lookups, tuple(self._notes)
        )

    def _port(self) -> int:
        ports = [each.port for each in endpoints(self._config)[0] if each.service == self._service.key]
        return ports[0] if ports else 25

    def _secure(self, caller: Caller) -> None:
        """Let the session be one under TLS, if it is to be."""
        wrapped = tls_level(self._settings) is TlsLevel.WRAPPER
        if wrapped and not self._question.tls:
            self._notes.append("this service's sessions begin with TLS: so does this one")
        if wrapped or self._question.tls:
            session, machine = caller.connection.session, caller.connection.machine
            session.tls_facts = _TLS
            session.tls = _TLS.received_clause(asked=False)
            machine.state = type(machine.state).IDLE

    async def _envelope(self, caller: Caller) -> list[Said]:
        """Say everything from EHLO to the end of the message; what is refused ends it."""
        question = self._question
        helo = (
            question.helo or (question.name if question.name != "unknown" else "") or f"[{question.client}]"
        )
        said = [await self._command(caller, f"EHLO {helo}")]
        if said[-1].code >= 400 or not said[-1].code:
            return said
        if question.user:
            session = caller.connection.session
            session.sasl_username, session.sasl_method = question.user, "PLAIN"
        size = f" SIZE={question.size}" if question.size else ""
        utf8 = "" if all(each.isascii() for each in (question.sender, *question.recipients)) else " SMTPUTF8"
        said.append(await self._command(caller, f"MAIL FROM:<{question.sender}>{size}{utf8}"))
        if said[-1].code != 250:
            return said
        replies = [await self._command(caller, f"RCPT TO:<{each}>") for each in question.recipients]
        said += replies
        if any(each.code == 250 for each in replies):
            said.append(await self._command(caller, "DATA"))
            if said[-1].code == 354:
                said.append(self._said("end of data", await caller.say(_content(question.size))))
        return said

    async def _command(self, caller: Caller, line: str) -> Said:
        answer = await caller.say(line.encode("utf-8", "surrogateescape") + b"\r\n")
        return self._said(line, answer)

    def _said(self, command: str, answer: Answer) -> Said:
        steps, lookups = self._recorder.take()
        lines = [line.partition(": ")[2] for line in self._sink.lines]
        self._sink.lines.clear()
        log = tuple(line for line in lines if not line.startswith(_USUAL) and _is_news(line))
        text = answer.text.partition("\n")[0] if command.startswith("EHLO") else answer.text
        session = self._caller.connection.session
        why, session.why = session.why, None
        decided, behind = why() if why is not None and answer.code >= 400 else (None, None)
        reply = f"{answer.code} {text}" if answer.code else text
        return Said(command, answer.code, reply, steps, lookups, log, decided, behind)

    # --- where it goes

    async def _destinations(self) -> tuple[Destination, ...]:
        messages = await self._store.find()
        if not messages:
            self._notes.append("the message is thrown away (DISCARD)")
            return ()
        message = messages[0]
        if message.held:
            self._notes.append("the message is put on hold (HOLD)")
        groups: dict[str, list[Recipient]] = {}
        for recipient in message.recipients:
            groups.setdefault(recipient.original, []).append(recipient)
        return tuple([await self._destination(message, name, group) for name, group in groups.items()])

    async def _destination(self, message: Message, name: str, group: Sequence[Recipient]) -> Destination:
        targets = [await self._target(message, each) for each in group]
        aliases: list[Target] = []
        error = ""
        for each in targets:
            service = self._config.service(each.transport)
            if service is not None and service.command == "local":
                found, why = await self._aliases(service, each.address)
                aliases += found
                error = error or why
        _, lookups = self._recorder.take()
        self._sink.lines.clear()
        return Destination(to_external(name), (*targets, *aliases), lookups, error)

    async def _target(self, message: Message, recipient: Recipient) -> Target:
        address = to_external(recipient.address)
        attributes = dict(message.attributes)
        if "content_filter" in attributes:
            rules = FilterRules.of(self._config.settings)
            if place := rules.place_of(attributes):
                transport, nexthop = next(iter(rules.places(place, [recipient])))
                return Target(address, transport, nexthop, "content filter")
        try:
            route = await self._router.route(recipient.address, message.sender)
        except TableUnavailable as error:
            return Target(address, error=str(error))
        return Target(address, route.transport, route.nexthop, route.address_class.value)

    async def _aliases(self, service: Service, address: str) -> tuple[list[Target], str]:
        """Return what a local alias stands for, and where that goes."""
        settings = self._config.settings_for(service)
        specs = settings[ALIAS_MAPS]
        expander = Expander(
            settings,
            Maps(specs, self._tables, aliases=True),
            OwnDomains(settings, self._tables, self._own.own),
            extensions_of(settings),
        )
        try:
            found = await expander.expand(address)
            if found is None:
                return [], ""
            targets = []
            for each in found:
                route = await self._router.route(each.address)
                targets.append(
                    Target(to_external(each.address), route.transport, route.nexthop, f"alias of {address}")
                )
        except (CannotExpandError, TableUnavailable) as error:
            return [], str(error)
        return targets, ""

    def _note_what_was_not_tried(self) -> None:
        settings = self._settings
        if self._service.type == "pass":
            self._notes.append("postscreen is not asked: this is for a client that has passed it")
        if settings[SMTPD_MILTERS]:
            self._notes.append("mail filters (smtpd_milters) are not asked")
        if self._question.user and not settings[AUTH_ENABLE]:
            self._notes.append(f"nobody can log in to service {self._service.name}: AUTH is not offered")


def _content(size: int) -> bytes:
    """Return a message of about so many bytes, and its end."""
    head = b"Subject: explain\r\n\r\n"
    return head + _LINE * (max(0, size - len(head)) // len(_LINE)) + b".\r\n"


def _is_news(line: str) -> bool:
    return ": client=" not in line and ": message-id=" not in line
