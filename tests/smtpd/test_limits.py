from __future__ import annotations

from postroad.smtpd.limits import LocalCounts, Seats


class Guest:
    def __init__(self):
        self.begun = 0

    def begin(self):
        self.begun += 1


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
    seats = Seats(1, told.append)
    one, two, three = Guest(), Guest(), Guest()
    assert seats.enter(one)
    assert not seats.enter(two)
    assert not seats.enter(three)
    assert told == [True]
    seats.leave(one)
    assert (two.begun, three.begun, seats.taken) == (1, 0, 1)
    seats.leave(two)
    assert (three.begun, told) == (1, [True, False])
    seats.leave(three)
    assert seats.taken == 0


def test_who_stops_waiting_takes_no_place():
    told = []
    seats = Seats(1, told.append)
    one, two = Guest(), Guest()
    seats.enter(one)
    seats.enter(two)
    seats.leave(two)
    assert told == [True, False]
    seats.leave(one)
    assert (two.begun, seats.taken) == (0, 0)


def test_no_limit_is_no_limit():
    seats = Seats(0, lambda full: None)
    assert all(seats.enter(Guest()) for _ in range(1000))
