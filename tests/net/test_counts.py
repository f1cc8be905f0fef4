import os

import pytest

from postroad.net.counts import AUTH, NEW_TLS, SharedCounts, make_table


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


def events(table, worker, kind=AUTH, period=lambda: 7):
    return SharedCounts(table, worker, 2).events(kind, period)


def test_events_of_all_workers_are_one_sum(table):
    one, two = events(table, 0), events(table, 1)
    assert [one.add("smtp 192.0.2.1"), two.add("smtp 192.0.2.1"), one.add("smtp 192.0.2.1")] == [1, 2, 3]
    assert two.count("smtp 192.0.2.1") == 3
    assert two.count("smtp 192.0.2.2") == two.count("submission 192.0.2.1") == 0


def test_kinds_of_events_are_counted_apart(table):
    assert events(table, 0).add("x") == 1
    assert events(table, 0, NEW_TLS).count("x") == 0
    assert events(table, 1, NEW_TLS).add("x") == 1


def test_a_new_period_begins_with_nothing(table):
    now = [65535]
    one, two = (events(table, worker, period=lambda: now[0]) for worker in range(2))
    one.add("x")
    two.add("x")
    now[0] += 1
    assert two.count("x") == 0
    assert one.add("x") == 1
    now[0] += 1
    assert one.count("x") == 0


def test_a_count_of_events_stops_at_what_its_place_can_hold(table):
    one = events(table, 0)
    assert [one.add("x") for _ in range(65540)][-1] == 65535
    assert events(table, 0, NEW_TLS).count("x") == 0


def test_what_a_worker_that_died_has_counted_did_happen(table):
    events(table, 0).add("x")
    assert events(table, 0).count("x") == 1
