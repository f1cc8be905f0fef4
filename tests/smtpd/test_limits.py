from __future__ import annotations

import itertools

from postroad.smtpd.limits import LocalCounts, LocalEvents, Seats


class Guest:
    def __init__(self):
        self.begun = 0

    def begin(self):
        self.begun += 1


class Loop:
    """Timers that a test lets run out."""

    def __init__(self):
        self.timers = []

    def call_later(self, delay, call):
        self.timers.append(call)

    def later(self):
        due, self.timers = self.timers, []
        for call in due:
            call()


class Elsewhere:
    """What other workers have taken, and what we say that we have."""

    def __init__(self):
        self.taken = self.mine = 0

    def change(self, by):
        self.mine += by

    def elsewhere(self):
        return self.taken


def test_counts_go_up_and_down_and_leave_nothing_behind():
    counts = LocalCounts()
    assert [counts.enter("a"), counts.enter("a"), counts.enter("b")] == [1, 2, 1]
    counts.leave("a")
    assert counts.enter("a") == 2
    for address in ("a", "a", "b", "b"):
        counts.leave(address)
    assert counts._sessions == {}


def test_places_are_given_in_order():
    told = []
    seats = Seats(1, told.append, Loop())
    one, two, three = Guest(), Guest(), Guest()
    assert seats.enter(one)
    assert seats.waiting == 0
    assert not seats.enter(two)
    assert not seats.enter(three)
    assert seats.waiting == 2
    assert told == [True]
    seats.leave(one)
    assert (two.begun, three.begun, seats.taken) == (1, 0, 1)
    seats.leave(two)
    assert (three.begun, told) == (1, [True, False])
    seats.leave(three)
    assert seats.taken == 0


def test_who_stops_waiting_takes_no_place():
    told = []
    seats = Seats(1, told.append, Loop())
    one, two = Guest(), Guest()
    seats.enter(one)
    seats.enter(two)
    seats.leave(two)
    assert told == [True, False]
    seats.leave(one)
    assert (two.begun, seats.taken) == (0, 0)


def test_no_limit_is_no_limit():
    seats = Seats(0, lambda full: None, Loop())
    assert all(seats.enter(Guest()) for _ in range(1000))


def test_what_others_have_taken_is_not_free():
    told, loop, others = [], Loop(), Elsewhere()
    seats = Seats(3, told.append, loop, others)
    others.taken = 2
    one, two = Guest(), Guest()
    assert seats.enter(one)
    assert not seats.enter(two)
    assert (told, others.mine) == ([True], 1)
    loop.later()
    assert two.begun == 0
    others.taken = 1  # a session of another worker has ended
    loop.later()
    assert (two.begun, told, others.mine) == (1, [True, False], 2)
    assert loop.timers == []
    seats.leave(one)
    seats.leave(two)
    assert others.mine == 0


def test_one_worker_may_have_all_places():
    seats = Seats(100, lambda full: None, Loop(), Elsewhere())
    assert all(seats.enter(Guest()) for _ in range(100))
    assert not seats.enter(Guest())


def test_one_timer_is_enough_however_often_the_last_place_changes_hands():
    loop = Loop()
    seats = Seats(1, lambda full: None, loop, Elsewhere())
    guests = [Guest() for _ in range(20)]
    seats.enter(guests[0])
    for before, guest in itertools.pairwise(guests):
        seats.enter(guest)
        seats.leave(before)
    assert len(loop.timers) == 1


def test_events_are_counted_by_key():
    events = LocalEvents()
    assert [events.add("a"), events.add("a"), events.add("b")] == [1, 2, 1]
    assert (events.count("a"), events.count("c")) == (2, 0)


def test_those_who_wait_are_counted_in_all_workers():
    queued = Elsewhere()
    seats = Seats(1, lambda full: None, Loop(), queued=queued)
    guests = [Guest() for _ in range(4)]
    for each in guests:
        seats.enter(each)
    assert (queued.mine, seats.waiting) == (3, 3)
    queued.taken = 5
    assert seats.waiting == 8
    seats.leave(guests[3])
    assert queued.mine == 2
    seats.leave(guests[0])
    assert (queued.mine, guests[1].begun) == (1, 1)
