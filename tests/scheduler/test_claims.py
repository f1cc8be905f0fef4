"""Queue runs: what is taken, when, and when not."""

import asyncio

from patience import turns, until
from postroad.base.clock import TestClock
from postroad.base.errors import StoreUnavailable
from postroad.base.log import ListSink, Log
from postroad.model.message import Message
from postroad.scheduler import claims as module
from postroad.scheduler.claims import Claims


class World:
    def __init__(self, due, room):
        self.due = [Message(key, "s@x", [], 0.0) for key in range(due)]
        self.room = room
        self.taken = []
        self.asked = []
        self.fresh = []  # how many new messages come while each claim is made
        self.error = None
        self.sink = ListSink()
        self.claims = Claims(self, TestClock(), Log(self.sink), lambda: self.room, self.take)
        self.claims.run_delay = 100.0

    async def claim(self, *, now, most):
        self.asked.append(most)
        self.claims.fresh = self.fresh.pop(0) if self.fresh else 0
        if self.error:
            raise self.error
        found, self.due = self.due[:most], self.due[most:]
        return found

    def take(self, message):
        self.taken.append(message.key)
        self.room -= 1
        self.claims.fresh += 1


async def test_all_that_is_due_is_taken_a_part_at_a_time():
    w = World(450, 10_000)
    w.claims.run()
    await until(lambda: len(w.asked) == 4)
    assert len(w.taken) == 450
    assert w.asked == [200, 200, 200, 200]
    assert not w.claims.wanted
    w.claims.stop()


async def test_no_more_than_there_is_room_for_and_the_rest_when_there_is():
    w = World(5, 2)
    w.claims.run()
    await until(lambda: w.taken)
    await turns()
    assert w.taken == [0, 1]
    w.room = 10
    w.claims.go_on()
    await until(lambda: len(w.taken) >= 5)
    assert w.taken == [0, 1, 2, 3, 4]
    w.claims.stop()


async def test_going_on_does_nothing_where_nothing_was_left():
    w = World(1, 10)
    w.claims.run()
    await until(lambda: w.taken and not w.claims.wanted)
    asked = len(w.asked)
    w.claims.go_on()
    assert len(w.asked) == asked
    w.claims.stop()


async def test_a_queue_that_cannot_be_read_is_said_and_looked_at_again_later():
    w = World(1, 10)
    w.claims.run_delay = 0.02
    w.error = StoreUnavailable("disk is away")
    w.claims.run()
    assert w.sink.lines == ["qmgr: warning: cannot read the queue: disk is away"]
    w.error = None
    await until(lambda: w.taken)
    assert w.taken == [0]
    w.claims.stop()


async def test_nothing_is_taken_after_the_stop():
    w = World(1, 10)
    w.claims.stop()
    w.claims.run()
    w.claims.go_on()
    assert not w.asked


async def test_while_new_mail_comes_no_more_of_the_old_is_taken_than_came_of_the_new(monkeypatch):
    monkeypatch.setattr(module, "_PAUSE", 0.02)
    w = World(1000, 10_000)
    w.fresh = [70, 0]
    w.claims.fresh = 3
    w.claims.run()
    await asyncio.sleep(0)
    assert w.asked == [10]
    while len(w.taken) < 1000:
        await asyncio.sleep(0.001)
    assert w.asked[:5] == [10, 70, 10, 200, 200]
    w.claims.stop()
