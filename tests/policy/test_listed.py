"""Restrictions that ask lists in the DNS."""

from __future__ import annotations

import pytest

from postroad.base.log import Log
from postroad.net.filtered import BrokenFilter
from postroad.policy.listed import TAKERS

LISTED = ("127.0.0.2",)


def texts(name: str) -> dict[str, str]:
    return {"smtpd_recipient_restrictions": f"{name} bl.test"}


@pytest.mark.parametrize(
    ("name", "record", "what"),
    [
        ("reject_rbl_client", "10.2.0.192", "Client host [192.0.2.10]"),
        ("reject_rbl", "10.2.0.192", "Client host [192.0.2.10]"),
        ("reject_rhsbl_client", "c.test", "Client host [c.test]"),
        ("reject_rhsbl_reverse_client", "r.test", "Unverified Client host [r.test]"),
        ("reject_rhsbl_helo", "h.test", "Helo command [h.test]"),
        ("reject_rhsbl_sender", "s.test", "Sender address [u@s.test]"),
        ("reject_rhsbl_recipient", "here.test", "Recipient address [u@here.test]"),
    ],
)
async def test_what_is_listed_is_refused(world, say, new_session, name, record, what):
    client = new_session(sender="u@s.test", helo="h.test")
    client.client.name, client.client.reverse_name = "c.test", "r.test"
    here = world(**texts(name))
    assert await say(here, "u@here.test", client) == ""
    here.resolver.records = {(f"{record}.bl.test", "A"): LISTED}
    assert await say(here, "u@here.test", client) == (
        f"554 5.7.1 Service unavailable; {what} blocked using bl.test"
    )


@pytest.mark.parametrize("name", [name for name in TAKERS if name.startswith("reject")])
async def test_a_list_that_does_not_answer_refuses_nobody(world, say, new_session, name):
    client = new_session(sender="u@s.test", helo="h.test")
    client.client.name = client.client.reverse_name = "c.test"
    here = world(**texts(name))
    here.resolver.broken = {
        f"{what}.bl.test" for what in ("10.2.0.192", "c.test", "h.test", "s.test", "here.test")
    }
    assert await say(here, "u@here.test", client) == ""
    assert "RBL lookup error" in here.sink.lines[0]


async def test_what_is_not_known_is_not_asked_for(world, say, new_session):
    for name in (
        "reject_rhsbl_client",
        "reject_rhsbl_reverse_client",
        "reject_rhsbl_helo",
        "reject_rhsbl_sender",
    ):
        here = world(**texts(name))
        assert await say(here, "u@here.test", new_session(sender="", helo="")) == ""
        assert here.resolver.asked == []


@pytest.mark.parametrize(
    ("name", "record"), [("permit_dnswl_client", "10.2.0.192"), ("permit_rhswl_client", "c.test")]
)
async def test_a_list_of_the_good_permits_but_no_relaying(world, say, session, name, record):
    session.client.name = "c.test"
    here = world(smtpd_recipient_restrictions=f"{name} wl.test, reject", smtpd_relay_restrictions="")
    assert "rejected" in await say(here, "u@here.test")
    here.resolver.records = {(f"{record}.wl.test", "A"): LISTED}
    assert await say(here, "u@here.test") == ""
    assert "rejected" in await say(here, "x@example.org")


async def test_while_a_list_of_the_good_does_not_answer_a_refusal_is_not_for_good(world, say):
    here = world(smtpd_recipient_restrictions="permit_dnswl_client wl.test, reject")
    here.resolver.broken = {"10.2.0.192.wl.test"}
    assert (
        await say(here, "u@here.test") == "450 4.7.1 <192.0.2.10>: Client host rejected: Service unavailable"
    )


async def test_without_a_list_there_is_nothing_to_ask(world, say):
    here = world(smtpd_recipient_restrictions="reject_rbl_client")
    assert await say(here, "u@here.test") == ""
    assert here.sink.lines == ["smtpd: warning: restriction reject_rbl_client requires domain name argument"]


async def test_the_old_way_asks_several_lists(world, say):
    here = world(smtpd_recipient_restrictions="reject_maps_rbl", maps_rbl_domains="a.test, b.test")
    here.resolver.records = {("10.2.0.192.b.test", "A"): LISTED}
    assert (await say(here, "u@here.test")).endswith("blocked using b.test")


def test_a_pattern_that_is_none_does_not_start(world):
    with pytest.raises(ValueError, match="bad address pattern: nonsense"):
        world(smtpd_client_restrictions="reject_rbl_client bl.test=nonsense")


@pytest.fixture
def through(services, dropping, ask, new_session):
    """Ask a list that has the client, through a filter."""

    async def answer(name, **actions):
        made = services()
        made.resolver.records = {
            ("10.2.0.192.bl.test", "A"): LISTED,
            ("10.2.0.192.bl.test", "TXT"): (b"spam",),
        }
        made.resolver = dropping(made.resolver, made.log, **actions)
        return await ask(TAKERS[name](made, name, "bl.test", ""), new_session())

    return answer


async def test_a_filter_may_take_a_listing_away(through, sink):
    assert (await through("reject_rbl_client"))[-4:] == "spam"
    assert await through("reject_rbl_client", A="IGNORE") is None
    assert sink.lines[-1] == (
        "smtpd: warning: 10.2.0.192.bl.test: RBL lookup error: Error looking up "
        "name=10.2.0.192.bl.test type=A: DNS reply filter drops all results"
    )
    assert (await through("reject_rbl_client", TXT="IGNORE")).endswith("blocked using bl.test")
    assert sink.lines[-1] == (
        "smtpd: warning: 10.2.0.192.bl.test: TXT lookup error: DNS reply filter drops all results"
    )


async def test_a_filter_that_is_broken_lets_nobody_pass(through):
    with pytest.raises(BrokenFilter):
        await through("reject_rbl_client", A="WRONG")


@pytest.mark.parametrize(
    ("name", "action", "code"),
    [
        ("reject_rbl_client", "WRONG", "451"),
        ("permit_dnswl_client", "WRONG", "450"),
        ("permit_dnswl_client", "IGNORE", "450"),
    ],
)
async def test_who_is_listed_is_not_known_behind_such_a_filter(world, say, dropping, name, action, code):
    here = world()
    here.resolver.records = {("10.2.0.192.bl.test", "A"): LISTED}
    made = world(
        resolver=dropping(here.resolver, Log(here.sink), A=action),
        smtpd_recipient_restrictions=f"{name} bl.test, reject",
    )
    assert (await say(made, "u@here.test"))[:3] == code
