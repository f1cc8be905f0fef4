"""Backlogs against a list of numbers."""

from postroad.scheduler.backlog import Backlog


def filled(keys):
    backlog = Backlog()
    for key in keys:
        backlog.put(key)
    return backlog


def test_ids_leave_in_the_order_in_which_they_came():
    backlog = Backlog()
    taken = []
    for number in range(1000):
        backlog.put(number << 40)
        if number % 3 == 0:
            taken += backlog.take(2)
    assert len(backlog) == 1000 - len(taken)
    while backlog:
        taken += backlog.take(7)
    assert taken == [number << 40 for number in range(1000)]
    assert backlog.take(5) == []


def test_what_is_put_back_is_first_again():
    backlog = filled(range(6))
    assert backlog.take(2) == [0, 1]
    backlog.put_back([0, 1])
    assert backlog.take(10) == [0, 1, 2, 3, 4, 5]


def test_a_backlog_that_takes_another_over_has_it_at_its_end():
    one, other = filled([1, 2]), filled([3, 4, 5, 6, 7])
    other.take(1)
    one.take_over(other)
    assert one.take(10) == [1, 2, 4, 5, 6, 7]
    assert not other
    other.put(9)
    assert other.take(10) == [9]
