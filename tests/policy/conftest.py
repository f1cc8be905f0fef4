"""Stand-ins for what the policy asks, and a service made from restriction texts."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from postroad.auth import params as auth
from postroad.base.errors import LookupUnavailable, TableUnavailable
from postroad.base.log import ListSink, Log
from postroad.base.params import Settings, settings_of
from postroad.base.tasks import result
from postroad.model import params as model
from postroad.model.client import Client
from postroad.model.message import Recipient
from postroad.model.reply import Reply
from postroad.model.route import AddressClass, Route
from postroad.model.session import Session
from postroad.net.answer import Answer
from postroad.net.filtered import FilteredResolver
from postroad.net.tls import params as tls
from postroad.policy import params
from postroad.policy.compiler import Compiler
from postroad.policy.query import RECIPIENT, Query
from postroad.policy.service import ServicePolicy
from postroad.policy.services import Services
from postroad.tables.context import TableContext

GUARD = "permit_mynetworks, reject_unauth_destination"


def make_settings(**texts: str) -> Settings:
    texts = {
        "smtpd_relay_restrictions": GUARD,
        "smtpd_relay_before_recipient_restrictions": "yes",
        "append_dot_mydomain": "no",
        "smtputf8_enable": "yes",
        "mynetworks": "127.0.0.0/8",
        "syslog_name": "postfix",
    } | texts
    return settings_of([model.params, params.params, auth.params, tls.params], **texts)


@dataclass
class FakeRouter:
    classes: dict[str, AddressClass] = field(
        default_factory=lambda: {
            "here.test": AddressClass.LOCAL,
            "alias.test": AddressClass.VIRTUAL_ALIAS,
            "box.test": AddressClass.VIRTUAL_MAILBOX,
            "relay.test": AddressClass.RELAY,
        }
    )
    broken: bool = False
    asked: list[str] = field(default_factory=list)

    async def is_valid(self, address: str) -> bool:
        if self.broken:
            raise TableUnavailable("table mydestination is unavailable")
        return not address.startswith("!")

    async def route(self, address: str, sender: str = "") -> Route:
        self.asked.append(address)
        if self.broken:
            raise TableUnavailable("table relay_domains is unavailable")
        domain = address.rpartition("@")[2].lower()
        return Route("smtp", domain, address, self.classes.get(domain, AddressClass.DEFAULT))


@dataclass
class FakeRecipients:
    unknown: frozenset[str] = frozenset({"nobody@here.test"})
    asked: list[tuple[str, bool]] = field(default_factory=list)
    broken: bool = False

    def passes(self, address: str) -> bool:
        return False

    async def refuse(self, address: str, *, sender: bool = False) -> Reply | None:
        self.asked.append((address, sender))
        if self.broken:
            raise TableUnavailable("table local_recipient_maps is unavailable")
        if address not in self.unknown:
            return None
        kind = "Sender" if sender else "Recipient"
        status = "5.1.0" if sender else "5.1.1"
        return Reply(
            550, status, f"<{address}>: {kind} address rejected: User unknown in local recipient table"
        )


@dataclass
class FakeResolver:
    """A DNS of ``{(name, kind): records}``; a name in ``broken`` cannot be asked about."""

    records: dict[tuple[str, str], tuple] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)
    asked: list[tuple[str, str]] = field(default_factory=list)

    def _find(self, name: str, kind: str) -> tuple:
        self.asked.append((name, kind))
        if name in self.broken or f"{name} {kind}" in self.broken:
            raise LookupUnavailable(f"{name}: try again")
        return self.records.get((name, kind), ())

    async def mx(self, name: str) -> tuple:
        return self._find(name, "MX")

    async def addresses(self, name: str, family: int = 0) -> tuple:
        kinds = {4: ("A",), 6: ("AAAA",)}.get(family, ("A", "AAAA"))
        return tuple(record for kind in kinds for record in self._find(name, kind))

    async def txt(self, name: str) -> tuple:
        return self._find(name, "TXT")

    async def query(self, name: str, kind: str) -> Answer:
        return Answer(name, kind, self._find(name, kind))


@dataclass
class World:
    """A policy and what stands around it."""

    policy: ServicePolicy
    router: FakeRouter
    recipients: FakeRecipients
    sink: ListSink
    resolver: FakeResolver


@pytest.fixture
def dropping():
    """Return a function that puts a filter, ``part of a line: action``, before a DNS."""

    def make(resolver: FakeResolver, log: Log, **actions: str) -> FilteredResolver:
        async def find(line: str) -> str | None:
            return next((actions[kind] for kind in actions if f" IN {kind} " in line), None)

        return FilteredResolver(resolver, find, parameter="smtpd_dns_reply_filter", program="smtpd", log=log)

    return make


@pytest.fixture
def world():
    def make(resolver: FakeResolver | FilteredResolver | None = None, **texts: str) -> World:
        router, recipients, sink = FakeRouter(), FakeRecipients(), ListSink()
        resolver = FakeResolver() if resolver is None else resolver
        policy = ServicePolicy(
            make_settings(**texts),
            tables=TableContext(),
            router=router,
            recipients=recipients,
            log=Log(sink),
            own_address=lambda address: address == "203.0.113.25",
            resolver=resolver,
        )
        return World(policy, router, recipients, sink, resolver)

    return make


def a_session(address: str = "192.0.2.10", sender: str | None = "a@example.net", helo: str = "x") -> Session:
    session = Session(Client(address), helo=helo, protocol="ESMTP")
    session.transaction.sender = sender
    return session


@pytest.fixture
def session():
    return a_session()


@pytest.fixture
def say(session):
    """Return a function that gives RCPT's answer as one line, "" for a yes."""

    async def rcpt(world: World, address: str, who: Session | None = None) -> str:
        reply = await result(world.policy.recipient(who or session, address))
        return reply.line() if reply else ""

    return rcpt


@pytest.fixture
def new_session():
    return a_session


@pytest.fixture
def settings():
    return make_settings


@pytest.fixture
def recipient():
    return Recipient


@pytest.fixture
def sink():
    return ListSink()


@pytest.fixture
def services(sink):
    """Return a function that makes the services of some settings, with a compiler of their lists."""

    def make(classes: dict[str, tuple[str, ...]] | None = None, **texts: str) -> Services:
        made = Services(
            make_settings(**texts),
            tables=TableContext(),
            networks=None,
            router=FakeRouter(),
            recipients=FakeRecipients(),
            own_address=lambda _: False,
            log=Log(sink),
            resolver=FakeResolver(),
        )
        Compiler(made, classes or {})
        return made

    return make


@pytest.fixture
def ask(session, sink):
    """Return a function that asks one check about a session, at RCPT, as the lists would."""

    async def answer(
        check, who: Session | None = None, recipient: str = "u@here.test", command: str = "RCPT"
    ):
        query = Query(who or session, command, Log(sink), soft_bounce=False)
        query.recipient = recipient
        query.begin(recipient, RECIPIENT)
        verdict = check(query)
        verdict = await verdict if hasattr(verdict, "__await__") else verdict
        if verdict is None and query.put_off is not None:
            verdict = query.put_off
        return verdict.line() if isinstance(verdict, Reply) else verdict

    return answer
