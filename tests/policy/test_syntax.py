"""Names and addresses as they are written."""

from __future__ import annotations

import pytest

from postroad.policy import syntax
from postroad.policy.verdict import PERMIT

LONG = "a" * 63


@pytest.mark.parametrize(
    ("name", "invalid", "unqualified"),
    [
        ("mail.example.net", False, False),
        ("mail.example.net.", False, False),
        ("under_score.example.net", False, False),
        (f"{LONG}.example.net", False, False),
        (f"{LONG}a.example.net", True, True),
        ("short", False, True),
        ("short.", False, True),
        ("x..", True, True),
        ("a..b", True, True),
        ("-bad-.example.net", True, True),
        ("foo@bar.test", True, True),
        ("192.0.2.10", False, True),
        ("2001:db8::1", False, True),
        ("192.0.2.300", True, True),
        ("bücher.example", True, True),
        ("", False, False),
    ],
)
async def test_a_helo_name_is_judged_by_its_form(services, ask, new_session, name, invalid, unqualified):
    client = new_session(helo=name)
    answer = await ask(syntax.reject_invalid_helo_hostname(services()), client)
    assert answer == (f"501 5.5.2 <{name}>: Helo command rejected: Invalid name" if invalid else None)
    answer = await ask(syntax.reject_non_fqdn_helo_hostname(services()), client)
    assert answer == (
        f"504 5.5.2 <{name}>: Helo command rejected: need fully-qualified hostname" if unqualified else None
    )


@pytest.mark.parametrize(
    ("name", "good"),
    [
        ("[192.0.2.10]", True),
        ("[IPv6:2001:db8::7]", True),
        ("[192.0.2.300]", False),
        ("[2001:db8::7]", False),
        ("[IPv6:192.0.2.1]", False),
        ("[192.0.2.1", False),
        ("[]", False),
        ("[", False),
    ],
)
async def test_an_address_literal_is_judged_as_one(services, ask, new_session, name, good):
    expected = None if good else f"501 5.5.2 <{name}>: Helo command rejected: invalid ip address"
    for rule in (syntax.reject_invalid_helo_hostname, syntax.reject_non_fqdn_helo_hostname):
        assert await ask(rule(services()), new_session(helo=name)) == expected


async def test_unicode_names_are_whole_names_only_with_smtputf8(services, ask, session):
    session.transaction.smtputf8 = True
    session.helo = "bücher.example"
    assert await ask(syntax.reject_non_fqdn_helo_hostname(services())) is None
    session.transaction.sender = "a@bücher.example"
    assert await ask(syntax.reject_non_fqdn_sender(services())) is None
    session.transaction.smtputf8 = False
    assert "need fully-qualified address" in await ask(syntax.reject_non_fqdn_sender(services()))


@pytest.mark.parametrize(
    ("address", "good"),
    [
        ("a@example.net", True),
        ("a@example.net.", True),
        ("a@[192.0.2.1]", True),
        ("a@short", False),
        ("noat", False),
        ("a@", False),
        ("a@x..y", False),
        ("a@-x.net", False),
    ],
)
async def test_an_address_needs_a_whole_domain(services, ask, new_session, address, good):
    answer = await ask(syntax.reject_non_fqdn_sender(services()), new_session(sender=address))
    assert answer == (
        None if good else f"504 5.5.2 <{address}>: Sender address rejected: need fully-qualified address"
    )
    answer = await ask(syntax.reject_non_fqdn_recipient(services()), recipient=address)
    assert answer == (
        None if good else f"504 5.5.2 <{address}>: Recipient address rejected: need fully-qualified address"
    )


async def test_what_is_not_there_is_not_refused(services, ask, new_session):
    for sender in (None, ""):
        assert await ask(syntax.reject_non_fqdn_sender(services()), new_session(sender=sender)) is None
    assert await ask(syntax.reject_non_fqdn_recipient(services()), recipient="") is None


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("192.0.2.1", PERMIT),
        ("2001:db8::1", None),
        ("::1", PERMIT),
        ("192.0.2.300", "501 5.5.2 <192.0.2.300>: Helo command rejected: invalid ip address"),
        ("host.example", None),
        ("", None),
    ],
)
async def test_a_naked_address_is_permitted_the_old_way(services, ask, new_session, name, answer):
    assert await ask(syntax.permit_naked_ip_address(services()), new_session(helo=name)) == answer


async def test_the_codes_are_parameters(services, ask, new_session):
    made = services(invalid_hostname_reject_code="550", non_fqdn_reject_code="450")
    bad = new_session(helo="a..b")
    assert (await ask(syntax.reject_invalid_helo_hostname(made), bad))[:3] == "550"
    assert (await ask(syntax.reject_non_fqdn_helo_hostname(made), bad))[:3] == "450"
