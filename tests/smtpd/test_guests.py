from __future__ import annotations

import asyncio

import pytest

from patience import until
from postroad.base.log import ListSink, Log
from postroad.smtpd.guests import Guests, Places
from postroad.smtpd.limits import LocalCounts
from postroad.smtpd.stress import Stress

from .conftest import Peer


class Guest:
    """A connection that notes what is done to it; it leaves when it is told to drain, unless it is ``busy``."""

    def __init__(self, guests, busy=False):
        self.guests, self.busy = guests, busy
        self.heard = []

    def begin(self):
        self.heard.append("begin")

    def drain(self):
        self.heard.append("drain")
        if not self.busy:
            self.guests.leave(self, "")

    def cut(self):
        self.heard.append("cut")
        self.guests.leave(self, "")


@pytest.fixture
def counts():
    return LocalCounts()


@pytest.fixture
async def make(counts):
    loop = asyncio.get_running_loop()

    def guests(**places):
        limit = places.get("limit", 0)
        stress = Stress("smtp", limit, Log(ListSink(), pid=1), loop.time)
        return Guests(Places(**places), loop, counts, stress)

    return guests


async def test_who_leaves_makes_room_and_is_counted_no_more(make, counts):
    told = []
    guests = make(limit=1, on_full=told.append)
    first, second = Guest(guests), Guest(guests)
    assert guests.enter(first)
    counts.enter("192.0.2.7")
    assert guests.stress
    assert not guests.enter(second)
    assert (len(guests), guests.waiting, told) == (2, 1, [True])
    guests.leave(first, "192.0.2.7")
    assert second.heard == ["begin"]
    assert (list(guests), guests.waiting, told) == ([second], 0, [True, False])
    assert counts.enter("192.0.2.7") == 1


async def test_who_has_left_leaves_no_second_time(make, counts):
    guests = make(limit=2)
    one, other = Guest(guests), Guest(guests)
    guests.enter(one)
    guests.enter(other)
    counts.enter("192.0.2.7")
    counts.enter("192.0.2.7")
    guests.leave(one, "192.0.2.7")
    guests.leave(one, "192.0.2.7")
    assert counts.enter("192.0.2.7") == 2
    assert list(guests) == [other]


async def test_who_does_not_leave_in_time_is_cut_off(make):
    guests = make()
    idle, busy = Guest(guests), Guest(guests, busy=True)
    guests.enter(idle)
    guests.enter(busy)
    await guests.drain(0)
    assert (idle.heard, busy.heard) == (["drain"], ["drain", "cut"])
    assert len(guests) == 0


async def test_the_end_comes_with_the_last_who_leaves(make):
    guests, ends = make(), []
    one, other = Guest(guests), Guest(guests)
    guests.enter(one)
    guests.enter(other)
    guests.leave(one, "")
    guests.retire(lambda: ends.append(len(guests)))
    assert ends == []
    guests.leave(other, "")
    assert ends == [0]


async def test_the_end_of_nobody_is_now(make):
    ends = []
    make().retire(lambda: ends.append(True))
    assert ends == [True]


async def test_clients_over_the_services_limit_wait_in_silence(stand):
    told = []
    stand.make(limit=1, on_full=told.append)
    port = await stand.serve()
    first, second = await Peer.connect(port), await Peer.connect(port)
    assert (await first.reply()).startswith("220")
    await until(lambda: stand.service.sessions == 2)
    assert told == [True]
    await second.send("NOOP\r\n")
    assert [line for line in stand.log if "master" not in line] == ["smtpd: connect from unknown[127.0.0.1]"]
    await first.ask("QUIT")
    assert (await second.reply()).startswith("220")
    assert await second.reply() == "250 2.0.0 Ok"
    assert told == [True, False]
    for peer in (first, second):
        await peer.close()


async def test_sessions_between_messages_end_at_a_stop_and_others_finish(stand):
    port = await stand.serve()
    idle, busy = await Peer.connect(port), await Peer.connect(port)
    await idle.reply()
    await busy.reply()
    await busy.ask("EHLO x", "MAIL FROM:<a@example.net>", "RCPT TO:<b@example.test>", "DATA")
    draining = asyncio.ensure_future(stand.service.drain(5))
    assert await idle.reply() == "421 4.3.2 mx.example.test Service shutting down"
    assert await idle.reply() == "(closed)"
    await busy.send("x\r\n.\r\n")
    assert (await busy.reply()).startswith("250 2.0.0 Ok: queued")
    assert (await busy.reply()).startswith("421 4.3.2")
    await asyncio.wait_for(draining, 30)
    assert stand.service.sessions == 0
    for peer in (idle, busy):
        await peer.close()


async def test_a_stop_does_not_wait_for_ever(stand):
    port = await stand.serve()
    peer = await Peer.connect(port)
    await peer.reply()
    await peer.ask("EHLO x", "MAIL FROM:<a@example.net>", "RCPT TO:<b@example.test>", "DATA")
    await stand.service.drain(0.01)
    assert (await peer.reply()).startswith("421 4.3.2")
    await until(lambda: not stand.service.sessions)
    assert stand.intake.receivers[0].aborted
    await peer.close()


async def test_who_comes_after_the_stop_is_turned_away(stand):
    port = await stand.serve()
    stand.service.stop_accepting()
    peer = await Peer.connect(port)
    assert (await peer.reply()).startswith("421 4.3.2")
    await peer.close()
