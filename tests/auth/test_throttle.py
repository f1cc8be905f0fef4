import pytest

from postroad.auth import throttle as module
from postroad.auth.throttle import Throttle, site_of
from postroad.base.clock import TestClock


@pytest.fixture
def clock():
    return TestClock()


def made(clock, **changes):
    return Throttle(clock, **({"limit": 4, "seconds": 600.0, "longest": 5.0} | changes))


def test_each_failure_waits_longer_up_to_a_bound(clock):
    throttle = made(clock)
    assert [throttle.failed("192.0.2.1", "joe") for _ in range(5)] == [1.0, 2.0, 4.0, 5.0, 5.0]
    assert throttle.failed("192.0.2.2", "ann") == 1.0
    assert throttle.failed("192.0.2.3", "joe") == 5.0  # the user's failures count, too
    assert throttle.failed("192.0.2.4") == 1.0
    assert made(clock, longest=0.0).failed("192.0.2.1") == 0.0


def test_an_address_is_shut_out_for_a_while(clock):
    throttle = made(clock)
    for number in range(4):
        assert not throttle.refuses("192.0.2.1", "ann")
        throttle.failed("192.0.2.1", f"user{number}")
    assert throttle.refuses("192.0.2.1")
    assert throttle.refuses("192.0.2.1", "ann")
    assert not throttle.refuses("192.0.2.2", "user1")
    clock.advance(599)
    assert throttle.refuses("192.0.2.1")
    clock.advance(1)
    assert not throttle.refuses("192.0.2.1")
    assert throttle.failed("192.0.2.1") == 1.0


def test_a_user_is_shut_out_where_he_has_not_been_before(clock):
    throttle = made(clock)
    throttle.succeeded("192.0.2.77", "joe")
    for number in range(20):
        assert not throttle.refuses("192.0.2.200", "joe")
        throttle.failed(f"192.0.2.{number}", "joe")
    assert throttle.refuses("192.0.2.200", "joe")
    assert not throttle.refuses("192.0.2.200", "ann")
    assert not throttle.refuses("192.0.2.77", "joe")


def test_a_success_forgives_only_its_own_failures(clock):
    throttle = made(clock)
    throttle.failed("192.0.2.1", "joe")
    throttle.failed("192.0.2.1", "joe")
    throttle.failed("192.0.2.1", "ann")
    throttle.failed("192.0.2.2", "joe")
    throttle.succeeded("192.0.2.1", "joe")
    assert throttle.addresses.get("192.0.2.1", clock.steady()) == 1
    assert throttle.users.get("joe", clock.steady()) == 1
    for _ in range(3):
        throttle.failed("192.0.2.1", "ann")
        throttle.succeeded("192.0.2.1", "joe")  # one's own account helps nobody to guess another's
    assert throttle.refuses("192.0.2.1", "ann")


def test_an_old_password_in_a_telephone_does_not_shut_out_the_office(clock):
    throttle = made(clock)
    throttle.succeeded("192.0.2.1", "ann")
    throttle.succeeded("192.0.2.1", "joe")
    for _ in range(4):
        throttle.failed("192.0.2.1", "joe")
    assert not throttle.refuses("192.0.2.1")
    assert not throttle.refuses("192.0.2.1", "ann")
    assert throttle.refuses("192.0.2.1", "joe")
    assert throttle.refuses("192.0.2.1", "stranger")
    for _ in range(4):
        throttle.failed("192.0.2.1", "ann")
    assert throttle.refuses("192.0.2.1", "ann")  # at home there are not more guesses than elsewhere


def test_a_limit_of_nothing_is_none(clock):
    throttle = made(clock, limit=0)
    assert {throttle.failed("192.0.2.1", "joe") for _ in range(100)} == {0.0}
    assert not throttle.refuses("192.0.2.1", "joe")


def test_what_is_remembered_is_bounded(clock, monkeypatch):
    monkeypatch.setattr(module, "_MOST", 50)
    throttle = made(clock)
    for number in range(1000):
        throttle.failed(f"198.51.{number >> 8}.{number & 255}", f"user{number}")
        throttle.succeeded("192.0.2.1", f"good{number}")
    assert {len(counts.counts) for counts in (throttle.addresses, throttle.users, throttle.pairs)} == {50}
    assert len(throttle._at_home) == 50
    assert throttle._homes == {"192.0.2.1": 50}
    for number in range(50):
        throttle.succeeded(f"203.0.113.{number}", "joe")
    assert sum(throttle._homes.values()) == len(throttle._homes) == 50


@pytest.mark.parametrize(
    ("address", "site"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3::4", "20010db800010002/64"),
        ("2001:db8:1:2::9", "20010db800010002/64"),
        ("fe80::1%eth0", "fe80000000000000/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("unknown", "unknown"),
        ("x:y", "x:y"),
    ],
)
def test_sites(address, site):
    assert site_of(address) == site.removeprefix("0")
