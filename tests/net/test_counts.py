import os

import pytest

from postroad.net.counts import SharedCounts, make_table


@pytest.fixture
def table():
    fd = make_table(2)
    yield fd
    os.close(fd)


def test_all_workers_see_the_sum(table):
    one, two = SharedCounts(table, 0, 2), SharedCounts(table, 1, 2)
    assert one.enter("192.0.2.1") == 1
    assert two.enter("192.0.2.1") == 2
    assert one.count("192.0.2.1") == 2
    one.leave("192.0.2.1")
    assert two.count("192.0.2.1") == 1


def test_addresses_are_counted_apart(table):
    counts = SharedCounts(table, 0, 2)
    for i in range(200):
        assert counts.enter(f"192.0.2.{i}") == 1
    assert counts.count("2001:db8::1") == 0


def test_the_sessions_of_a_worker_that_died_are_void(table):
    SharedCounts(table, 0, 2).enter("192.0.2.1")
    other = SharedCounts(table, 1, 2)
    assert other.count("192.0.2.1") == 1
    SharedCounts(table, 0, 2)
    assert other.count("192.0.2.1") == 0


def test_leaving_without_having_entered_never_goes_below_zero(table):
    counts = SharedCounts(table, 0, 2)
    counts.leave("192.0.2.1")
    assert counts.enter("192.0.2.1") == 1


def test_the_sessions_of_a_service_are_seen_by_the_other_workers(table):
    one, two = SharedCounts(table, 0, 2).sessions(3), SharedCounts(table, 1, 2).sessions(3)
    one.change(2)
    assert (one.elsewhere(), two.elsewhere()) == (0, 2)
    two.change(1)
    one.change(-1)
    assert (one.elsewhere(), two.elsewhere()) == (1, 1)
    one.change(-5)
    assert two.elsewhere() == 0
    SharedCounts(table, 1, 2)  # a successor of a worker that died
    assert one.elsewhere() == 0
