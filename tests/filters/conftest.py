"""Sessions with milters."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest

from filters.stub import StubMilter, serving
from postroad.base.log import ListSink, Log
from postroad.base.params import settings_of
from postroad.base.wheel import Wheel
from postroad.filters.params import params
from postroad.filters.service import other_milters, smtpd_milters
from postroad.model.client import Client
from postroad.model.message import Recipient
from postroad.model.params import params as model_params
from postroad.model.session import Session
from postroad.tables.context import TableContext

KEY = 0x30640210263
OWN = b"Received: from c.example (localhost [127.0.0.1])\r\n\tby mx.example.org (Postfix) id 1\r\n"
HEADER = OWN + b"Subject:  two\r\nX-A: 1\r\nX-Fold: a\r\n b\r\nX-A: 2\r\nX-Empty:\r\n"
BODY = b"one\r\n.two\r\n"


def settings(**texts):
    return settings_of([params, model_params], **{"myhostname": "mx.example.org", **texts})


def a_session(**rest):
    client = {"name": "c.example", "name_code": 2, "reverse_name": "c.example", "reverse_name_code": 2}
    facts = {**client, "address": "192.0.2.7", "port": 4321, "server_address": "192.0.2.25", **rest}
    return Session(Client(**facts))


class Bench:
    """Makes stubs and sessions, and ends them."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self.stack = stack
        self.sink = ListSink()
        self.log = Log(self.sink)
        self.loop = asyncio.get_running_loop()
        self.wheel = Wheel(self.loop)

    @property
    def lines(self):
        return self.sink.lines

    async def stub(self, answers=None, path="", **rest):
        return await self.stack.enter_async_context(serving(StubMilter(answers, **rest), path))

    def service(self, router=None, tables=None, **texts):
        return smtpd_milters(
            settings(**texts),
            tables=tables or TableContext(),
            log=self.log,
            wheel=self.wheel,
            loop=self.loop,
            router=router,
        )

    def others(self, **texts):
        return other_milters(settings(**texts), log=self.log, wheel=self.wheel, loop=self.loop)

    async def chain(self, *stubs, session=None, router=None, **texts):
        """A session's milters; ``session`` is ``chain.session``."""
        names = ", ".join(stub if isinstance(stub, str) else stub.name for stub in stubs)
        session = session or a_session()
        chain = await self.service(router, smtpd_milters=names, **texts).session(session)
        chain.session = session
        self.stack.callback(chain.close)
        return chain


async def upto(chain, stage, *, sender="s@example.net", recipient="u@example.org"):
    """Go through a session as far as this stage; returns the last stage's answer, or the first refusal."""
    session = chain.session
    transaction = session.transaction
    stages = ["connect", "helo", "mail", "recipient", "data"]
    for each in stages[: stages.index(stage) + 1]:
        if each == "helo":
            session.helo, session.protocol = "c.example", "ESMTP"
        if each == "mail":
            transaction.sender = sender
        if each == "data":
            transaction.recipients.append(Recipient(recipient))
            transaction.queue_key = KEY
        reply = await (chain.recipient(recipient) if each == "recipient" else getattr(chain, each)())
        if reply is not None:
            break
    return reply


async def whole(chain, header=HEADER, body=BODY):
    """Go through a session and its message."""
    assert await upto(chain, "data") is None
    return await chain.message(header, lambda: iter([body]))


@pytest.fixture
async def bench():
    async with AsyncExitStack() as stack:
        yield Bench(stack)
