"""What counts is what an address resolves to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.model.route import AddressClass, Route
from postroad.policy.envelope import is_authorized, is_routed


@pytest.mark.parametrize(
    ("address", "routed"),
    [
        ("user@here.test", False),
        ("user.name+tag@here.test", False),
        ("user", False),
        ("user@other@here.test", True),
        ("user%other@here.test", True),
        ("other!user@here.test", True),
        ("@here.test", False),
        ("user%other", True),
    ],
)
def test_routing_is_seen_in_the_local_part(address, routed):
    assert is_routed(address) is routed


@pytest.mark.parametrize("kind", list(AddressClass))
def test_every_class_but_the_default_one_is_authorized(kind):
    route = Route("t", "n", "u@here.test", kind)
    assert is_authorized(route, trust_routing=False) is (kind is not AddressClass.DEFAULT)


def test_routing_is_authorized_only_when_it_is_trusted():
    route = Route("t", "n", "u%x@here.test", AddressClass.RELAY)
    assert not is_authorized(route, trust_routing=False)
    assert is_authorized(route, trust_routing=True)


@given(st.text(alphabet='ab@!%."\\ ', max_size=12))
def test_no_local_part_with_an_operator_is_ever_authorized(local):
    address = f"{local}@relay.test"
    route = Route("t", "n", address, AddressClass.RELAY)
    assert is_authorized(route, trust_routing=False) is not any(char in local for char in "@!%")


@pytest.mark.parametrize(
    "form",
    [
        "{u}%{d}@relay.test",
        "{d}!{u}@relay.test",
        "{u}@{d}@relay.test",
        "@relay.test:{u}@{d}",
        "@relay.test,@here.test:{u}@{d}",
        "{u}%{d}",
        "{d}!{u}",
        "{u}@{d}",
        "{u}%{d}%relay.test",
        "relay.test!{d}!{u}",
        "relay.test!{u}%{d}",
        "{d}!{u}%relay.test",
        "{u}%{d}@here.test",
        "{d}!{u}@here.test",
        "{d}!{u}@box.test",
        "{u}@{d}@alias.test",
        "{u}@[198.51.100.1]",
        "{u}%{d}@[203.0.113.25]",
        "{d}!{u}@[203.0.113.25]",
    ],
)
async def test_no_classic_relay_form_is_accepted_from_a_stranger(world, say, form):
    address = form.format(u="user", d="other.test")
    assert (await say(world(), address)).endswith("Relay access denied")


async def test_a_data_stage_without_a_single_recipient_asks_nobody(world, session):
    here = world(smtpd_data_restrictions="permit_auth_destination, reject_unauth_destination")
    assert await here.policy.data(session) is None
    assert here.router.asked == []


async def test_check_relay_domains_permits_ours_and_refuses_the_rest(world, say):
    here = world(smtpd_recipient_restrictions="check_relay_domains, reject", smtpd_relay_restrictions="")
    assert await say(here, "u@relay.test") == ""
    assert await say(here, "x@example.org") == (
        "554 5.7.1 <x@example.org>: Recipient address rejected: Relay access denied"
    )


@pytest.mark.parametrize("lists", ["", "reject_unlisted_recipient, reject_unlisted_sender, permit"])
async def test_behind_a_content_filter_unknown_addresses_may_pass(world, say, session, lists):
    texts = {"smtpd_recipient_restrictions": lists, "smtpd_reject_unlisted_sender": "yes"}
    for override, answers in (("", 1), ("no_unknown_recipient_checks", 0), ("no_milters", 1)):
        here = world(receive_override_options=override, **texts)
        assert bool(await say(here, "nobody@here.test")) is bool(answers)
        assert bool(here.recipients.asked) is bool(answers)
