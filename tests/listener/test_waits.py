"""Calls after a time: their order, and one timer for all."""

from __future__ import annotations

import pytest

from postroad.listener.waits import Waits


class Timer:
    def __init__(self, end, then):
        self.end, self.then = end, then
        self.cancelled = False

    def when(self):
        return self.end

    def cancel(self):
        self.cancelled = True


class Loop:
    def __init__(self):
        self.now = 0.0
        self.timers = []

    def time(self):
        return self.now

    def call_at(self, end, then):
        self.timers.append(Timer(end, then))
        return self.timers[-1]

    def go(self, now):
        """Let time go by; return how many timers there are now."""
        self.now = now
        for timer in [each for each in self.timers if not each.cancelled and each.end <= now]:
            timer.cancelled = True
            timer.then()
        return sum(not each.cancelled for each in self.timers)


def test_each_is_called_at_its_time():
    loop, called = Loop(), []
    waits = Waits(loop)
    for name, seconds in (("a", 6), ("b", 6), ("short", 2), ("c", 6)):
        waits.add(seconds, lambda name=name: called.append(name))
    assert loop.go(1) == 1
    assert called == []
    assert loop.go(2) == 1
    assert called == ["short"]
    assert loop.go(6) == 0
    assert called == ["short", "a", "b", "c"]


def test_what_is_called_may_ask_for_more():
    loop, called = Loop(), []
    waits = Waits(loop)
    waits.add(1, lambda: waits.add(1, lambda: called.append("again")))
    loop.go(1)
    assert loop.go(2) == 0
    assert called == ["again"]


def test_a_defect_in_one_call_does_not_take_the_others_with_it():
    loop, called = Loop(), []
    waits = Waits(loop)
    waits.add(1, lambda: 1 // 0)
    waits.add(1, lambda: called.append("other"))
    with pytest.raises(ZeroDivisionError):
        loop.go(1)
    loop.go(1)
    assert called == ["other"]
