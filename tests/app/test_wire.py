"""A service of its own machine, spoken to without a socket."""

import asyncio

import pytest

from postroad.app.wire import Caller, Wire
from postroad.base.clock import TestClock
from postroad.base.log import ListSink, Log
from postroad.base.wheel import Wheel
from postroad.model.ports import Intake
from postroad.smtpd.given import Means, Neighbours
from postroad.smtpd.service import SmtpdService
from postroad.tables.context import TableContext

from .texts import config_of


class NoIntake(Intake):
    def open(self, session):
        raise AssertionError("no message comes so far")


@pytest.fixture
async def service():
    """Without a policy: everything is accepted."""
    loop = asyncio.get_running_loop()
    means = Means(log=Log(ListSink()), clock=TestClock(), wheel=Wheel(loop), loop=loop, tables=TableContext())
    return SmtpdService(config_of().settings, means, Neighbours(intake=NoIntake()))


async def test_a_dialogue_is_had_with_whole_replies(service):
    caller = Caller(service, ("192.0.2.7", 1234), ("", 25))
    assert (await caller.greeting()).code == 220
    answer = await caller.say(b"EHLO c.example.test\r\n")
    assert answer.code == 250
    assert answer.text.split("\n")[0] == "mx.example.test"
    assert "PIPELINING" in answer.text.split("\n")
    assert (await caller.say(b"MAIL FROM:<a@x.test>\r\n")).text == "2.1.0 Ok"
    assert caller.connection.session.client.address == "192.0.2.7"
    caller.hang_up()
    assert service.sessions == 0


async def test_after_the_end_there_are_no_replies(service):
    caller = Caller(service, ("192.0.2.7", 1234), ("", 25))
    await caller.greeting()
    assert (await caller.say(b"QUIT\r\n")).code == 221
    assert await caller.say(b"NOOP\r\n") == (0, "(connection closed)")


async def test_an_answer_that_comes_late_and_in_pieces_is_waited_for():
    wire = Wire(("192.0.2.7", 1), ("", 25))
    waiting = asyncio.ensure_future(wire.answer())
    await asyncio.sleep(0)
    wire.write(b"250-a")
    wire.writelines([b"\r\n250", b" b\r\n"])
    assert await waiting == (250, "a\nb")
    wire.close()
    assert wire.is_closing()
    assert await wire.answer() == (0, "(connection closed)")
