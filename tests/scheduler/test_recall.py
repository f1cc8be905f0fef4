"""Calling parked mail back: in order, as much as there is room for, and never lost."""

import asyncio

import pytest

from patience import turns, until
from postroad.base.clock import TestClock
from postroad.base.errors import StoreUnavailable
from postroad.base.log import ListSink, Log
from postroad.model.message import Message
from postroad.scheduler import recall as module
from postroad.scheduler.backlog import Backlog
from postroad.scheduler.recall import Recall


class World:
    def __init__(self):
        self.room, self.error = 10_000, None
        self.missing, self.held = set(), set()
        self.asked, self.came, self.over, self.settled, self.given_back = [], [], [], [], []
        self.sink = ListSink()
        self.recall = Recall(
            self, TestClock(), Log(self.sink), lambda: self.room, self.take, self.over.append
        )

    async def find(self, keys):
        self.asked.append(keys)
        if self.error:
            raise self.error
        found = [Message(key, "s@x", [], 5.0) for key in keys if key not in self.missing]
        for message in found:
            message.held = message.key in self.held
        return found

    def settle(self, settlement, then):
        self.settled.append((settlement.message.key, settlement.due))
        then(None)

    async def give_back(self, keys, *, now):
        assert now == TestClock().now()
        self.given_back += keys

    def take(self, message, backlog):
        self.came.append((message.key, backlog))
        self.room -= 1


@pytest.fixture
def w():
    return World()


def backlog(*keys):
    made = Backlog()
    for key in keys:
        made.put(key)
    return made


def test_the_first_of_a_backlog_come_back_and_the_caller_is_told_when_they_are_there(w):
    many = backlog(*range(150))
    w.recall.ask(many)
    assert [key for key, _from in w.came] == list(range(100))
    assert w.over == [many]
    assert not many.asked
    assert len(many) == 50


async def test_backlogs_come_one_after_the_other(w):
    first, second = backlog(1), backlog(2, 3)
    gate = asyncio.get_running_loop().create_future()
    find = w.find

    async def slow(keys):
        await gate
        return await find(keys)

    w.find = slow
    w.recall.ask(first)
    w.recall.ask(second)
    w.recall.ask(second)
    assert second.asked
    gate.set_result(None)
    await until(lambda: len(w.asked) >= 2)
    await turns()
    assert w.asked == [[1], [2, 3]]


def test_nothing_comes_without_room_and_no_more_than_there_is(w):
    some = backlog(1, 2, 3)
    w.room = 0
    w.recall.ask(some)
    assert not w.asked
    w.room = 7
    w.recall.go_on()
    assert w.asked == [[1, 2]]  # a quarter of the room and one
    assert len(some) == 1


def test_what_is_on_hold_gives_its_lease_back(w):
    w.held = {2}
    w.recall.ask(backlog(1, 2, 3))
    assert [key for key, _from in w.came] == [1, 3]
    assert w.settled == [(2, 5.0)]


def test_nothing_is_concluded_from_a_message_that_is_not_found(w):
    w.missing = {1}
    w.recall.ask(backlog(1, 2))
    assert [key for key, _from in w.came] == [2]
    assert not w.settled


async def test_what_cannot_be_read_is_asked_for_again_later(w, monkeypatch):
    monkeypatch.setattr(module, "_PAUSE", 0.01)
    some = backlog(1, 2)
    w.error = StoreUnavailable("disk is away")
    w.recall.ask(some)
    assert w.sink.lines == ["qmgr: warning: cannot read the queue: disk is away"]
    w.error = None
    await until(lambda: w.came)
    assert [key for key, _from in w.came] == [1, 2]


def test_an_empty_backlog_is_passed_over(w):
    empty = backlog()
    w.recall.ask(empty)
    assert not w.asked
    assert not empty.asked


async def test_nothing_comes_after_the_stop(w):
    gate = asyncio.get_running_loop().create_future()

    async def slow(keys):
        await gate
        return [Message(key, "s@x", [], 5.0) for key in keys]

    w.find = slow
    w.recall.ask(backlog(1))
    w.recall.stop()
    gate.set_result(None)
    await turns()
    w.recall.ask(backlog(2))
    assert not w.came


def test_the_leases_of_what_operators_deleted_are_given_back(w):
    w.missing = {2}
    w.recall.ask(backlog(1, 2, 3))
    assert [key for key, _from in w.came] == [1, 3]
    assert w.given_back == [2]
