"""The restriction greylist."""

from __future__ import annotations

import pytest

from postroad.base.clock import TestClock
from postroad.policy.greylist import comparable, network_of
from postroad.policy.names import MAKERS
from postroad.store import greylist as memories

REFUSED = "450 4.2.0 <u@here.test>: Recipient address rejected: Greylisted, try again in {} seconds"


@pytest.fixture
def clock():
    return TestClock()


@pytest.fixture
def make(services, tmp_path, clock):
    """Return a function that makes the check, with a memory below tmp_path."""

    def check(**texts):
        made = services(data_directory=str(tmp_path), **texts)
        made.tables.clock = clock
        return MAKERS["greylist"](made)

    yield check
    for memory in memories._open.values():
        memory.close()
    memories._open.clear()


async def test_who_comes_again_in_time_passes(make, ask, clock):
    check = make(greylist_delay="1m", greylist_auto_allow="0")
    assert await ask(check) == REFUSED.format(60)
    clock.advance(20)
    assert await ask(check) == REFUSED.format(40)
    clock.advance(40)
    assert await ask(check) is None
    assert await ask(check, recipient="v@here.test") == REFUSED.format(60).replace("u@", "v@")


async def test_the_parameters_are_obeyed(make, ask, clock):
    check = make(greylist_delay="1m", greylist_window="1h", greylist_expire="2h", greylist_auto_allow="1")
    await ask(check)
    clock.advance(3601)
    assert await ask(check) == REFUSED.format(60)
    clock.advance(60)
    assert await ask(check) is None
    assert await ask(check, recipient="v@here.test") is None
    clock.advance(7201)
    assert await ask(check) == REFUSED.format(60)


async def test_another_machine_of_the_network_may_come_again(make, ask, clock, new_session):
    check = make()
    await ask(check)
    clock.advance(300)
    assert await ask(check, new_session("192.0.2.77")) is None
    assert await ask(check, new_session("192.0.3.10")) == REFUSED.format(300)


async def test_without_a_recipient_there_is_nothing_to_ask(make, ask, tmp_path):
    assert await ask(make(), recipient="", command="DATA") is None
    assert list(tmp_path.iterdir()) == []


async def test_a_memory_that_cannot_be_read_is_not_a_pass(world, say, tmp_path, clock):
    here = world(smtpd_recipient_restrictions="greylist", data_directory=str(tmp_path / "none"))
    assert await say(here, "u@here.test") == "451 4.3.0 <u@here.test>: Temporary lookup failure"
    assert "greylist: " in here.sink.lines[0]
    memories._open.clear()


async def test_who_would_be_refused_for_good_hears_that(world, say, tmp_path):
    here = world(smtpd_recipient_restrictions="greylist, reject", data_directory=str(tmp_path))
    assert (await say(here, "u@here.test")).startswith("554 ")
    memories._open.pop(tmp_path / "greylist.db").close()


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.77", "192.0.2.0/24"),
        ("2001:db8:1:2:3::7", "2001:db8:1:2::/64"),
        ("unknown", "unknown"),
    ],
)
def test_networks(address, network):
    assert network_of(address) == network


@pytest.mark.parametrize(
    ("sender", "same"),
    [
        ("A.User@Example.NET", "a.user@example.net"),
        ("list-bounce-4711-u=here.test@lists.test", "list-bounce-#-u=here.test@lists.test"),
        ("user+tag@x.test", "user@x.test"),
        ("+tag@x.test", "+tag@x.test"),
        ("srs2024@x.test", "srs2024@x.test"),
        ("", ""),
        ("postmaster", "postmaster"),
    ],
)
def test_senders_are_compared_without_what_changes(sender, same):
    assert comparable(sender) == same
