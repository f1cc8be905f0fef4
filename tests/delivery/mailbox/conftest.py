"""A place for mailboxes, deliveries into it, and agents with their surroundings."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass, field

import pytest

from postroad.base.clock import TestClock
from postroad.base.log import ListSink, Log
from postroad.base.params import settings_of
from postroad.delivery.mailbox import params
from postroad.delivery.mailbox.request import Delivery, Locking, Result
from postroad.model import params as model
from postroad.model.job import Job
from postroad.model.message import Message, Recipient, Text
from postroad.tables.context import TableContext

HEAD = b"Return-Path: <a@example.net>\nDelivered-To: bob@box.test\n"


@pytest.fixture
def clock():
    return TestClock()


@pytest.fixture
def base(tmp_path):
    made = tmp_path / "mail"
    made.mkdir()
    return made


@pytest.fixture
def delivery(base):
    def make(path: str = "box.test/bob/", **rest) -> Delivery:
        facts = {
            "base": os.fsencode(base),
            "path": os.fsencode(path),
            "uid": os.geteuid(),
            "gid": os.getegid(),
            "head": HEAD,
            "from_line": b"" if path.endswith("/") else b"From a@example.net  Mon Nov 23 06:00:01 2026\n",
            "locking": Locking(attempts=2, delay=0.0),
        } | rest
        return Delivery(**facts)

    return make


class Pieces:
    """A content that is not in memory, cut as it is told."""

    data = None

    def __init__(self, *pieces: bytes) -> None:
        self._pieces = pieces
        self.size = sum(map(len, pieces))

    def pieces(self, size: int = 262144):
        yield from self._pieces


@pytest.fixture
def pieces():
    return Pieces


@pytest.fixture
def settings():
    def make(**texts: str):
        texts = {
            "append_dot_mydomain": "no",
            "smtputf8_enable": "yes",
            "mynetworks": "127.0.0.0/8",
            "myhostname": "mx.here.test",
            "mydomain": "here.test",
            "mydestination": "here.test",
            "myorigin": "here.test",
            "syslog_name": "postfix",
        } | texts
        return settings_of([model.params, params.params], **texts)

    return make


@dataclass
class FakeWriter:
    """Keeps what it is asked to write; answers at once unless told to wait."""

    result: Result = field(default_factory=lambda: Result("2.0.0", "delivered to maildir"))
    asked: list[Delivery] = field(default_factory=list)
    waits: bool = False
    waiting: list = field(default_factory=list)
    closed: bool = False

    def write(self, delivery, content, then):
        self.asked.append(delivery)
        if self.waits:
            self.waiting.append(then)
        else:
            then(self.result)

    async def close(self):
        self.closed = True


@pytest.fixture
def writer():
    return FakeWriter()


@pytest.fixture
def sink():
    return ListSink()


@pytest.fixture
def log(sink):
    return Log(sink)


@pytest.fixture
def context():
    return TableContext()


@pytest.fixture
def job(clock):
    def make(
        *addresses, sender="a@example.net", content=None, transport="virtual", nexthop="here.test"
    ) -> Job:
        recipients = [a if isinstance(a, Recipient) else Recipient(a) for a in addresses]
        text = content or Text(b"Subject: x\r\n\r\nhello\r\n")
        message = Message(0xABC, sender, recipients, clock.now(), text)
        return Job(message, recipients, transport, nexthop, text)

    return make


@pytest.fixture
def run():
    """Return a function that has an agent deliver a job and waits for its report."""

    async def deliver(agent, job):
        done = asyncio.get_running_loop().create_future()
        agent.deliver(job, done.set_result)
        assert await asyncio.wait_for(done, 30) is job
        return job.outcomes

    return deliver
