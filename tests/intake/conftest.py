"""An intake over a store in memory, made for each test."""

from __future__ import annotations

import pytest

from postroad.base.clock import TestClock
from postroad.base.errors import StoreUnavailable
from postroad.base.ids import QueueIds
from postroad.base.log import ListSink, Log
from postroad.base.params import Facts, settings_of
from postroad.intake import params as intake_params
from postroad.intake.intake import Intake
from postroad.mail.rewrite import Rewriter
from postroad.model import params as model_params
from postroad.model.client import Client
from postroad.model.message import Recipient, Text
from postroad.model.session import Session, Transaction
from postroad.net.interfaces import OwnAddresses
from postroad.tables.context import TableContext

PLAIN = {
    "syslog_name": "postfix",
    "append_dot_mydomain": "no",
    "smtputf8_enable": "yes",
    "mynetworks": "127.0.0.0/8",
    "myhostname": "mx.example.test",
    "mydomain": "example.test",
    "local_header_rewrite_clients": "permit_inet_interfaces",
}


class MemorySpool:
    def __init__(self, store):
        self.store = store
        self.data = bytearray()
        self.aborted = False

    def write(self, data):
        if self.store.full:
            raise StoreUnavailable("No space left on device")
        self.data += data

    def finish(self):
        return Text(bytes(self.data))

    def abort(self):
        self.aborted = True


class MemoryStore:
    """Keeps what is accepted; ``full`` makes it refuse, ``late`` makes it answer only on ``sync``."""

    def __init__(self):
        self.messages = []
        self.spools = []
        self.full = False
        self.late = False
        self.waiting = []

    def accept(self, message, then):
        if self.full:
            then(StoreUnavailable("No space left on device"))
            return
        self.messages.append(message)
        self.waiting.append(then)
        if not self.late:
            self.sync()

    def sync(self):
        waiting, self.waiting = self.waiting, []
        for then in waiting:
            then(None)

    def spool(self, key):
        if self.full:
            raise StoreUnavailable("No space left on device")
        self.spools.append(MemorySpool(self))
        return self.spools[-1]


class Bench:
    def __init__(self, texts):
        self.settings = settings_of(
            [model_params.params, intake_params.params], Facts(hostname="mx.example.test"), **(PLAIN | texts)
        )
        self.clock = TestClock(1_795_413_601.0)
        self.sink = ListSink()
        self.log = Log(self.sink)
        self.store = MemoryStore()
        self.accepted = []
        self.expanded = []
        self.rewriter = Rewriter(self.settings)
        self.tables = TableContext(texts=self.settings.texts)
        self.own = OwnAddresses(["127.0.0.1", "::1"])
        self.free = 1 << 40
        self.intake = Intake(
            self.settings,
            store=self.store,
            ids=QueueIds(self.clock),
            log=self.log,
            clock=self.clock,
            accepted=self.accepted.append,
            tables=self.tables,
            rewriter=self.rewriter,
            own=self.own,
            expanded=lambda message, recipients: self.expanded.extend(recipients),
            free=lambda directory: self.free,
        )

    def session(self, *recipients, sender="a@example.net", address="192.0.2.10", name="unknown", **more):
        known = [
            r if isinstance(r, Recipient) else Recipient(r) for r in recipients or ["alice@example.test"]
        ]
        transaction = Transaction(sender=sender, recipients=known)
        for key in ("smtputf8", "eight_bit", "ret", "envid", "actions"):
            if key in more:
                setattr(transaction, key, more.pop(key))
        uid = more.pop("uid", None)
        client = Client(address, name=name, local_uid=uid)
        return Session(client, helo="c.example.net", protocol="ESMTP", transaction=transaction, **more)

    def send(self, content, *recipients, pieces=None, **more):
        """Return the reply to a message; None when it is still to come."""
        return self.feed(self.session(*recipients, **more), pieces or [content])

    def feed(self, session, pieces):
        receiver = self.intake.open(session)
        for piece in pieces:
            receiver.feed(piece)
        replies = []
        receiver.commit(replies.append)
        assert len(replies) <= 1
        self.replies = replies
        return replies[0].line() if replies else None

    @property
    def message(self):
        return self.store.messages[-1]

    @property
    def content(self):
        return self.message.content.data

    @property
    def header(self):
        """The queued header behind our own Received field."""
        head = self.content.partition(b"\r\n\r\n")[0] + b"\r\n"
        return head[head.index(b"\r\n", head.index(b"+0000")) + 2 :].decode()

    @property
    def envelope(self):
        return [self.message.sender, *(r.address for r in self.message.recipients)]


@pytest.fixture
def bench():
    """Make an intake from parameters."""
    return lambda **texts: Bench(texts)


@pytest.fixture(autouse=True)
def utc(monkeypatch):
    """The local time zone is UTC."""
    import time

    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()
