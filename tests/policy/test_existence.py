"""Names that do not exist."""

from __future__ import annotations

import pytest

from postroad.policy import existence

NULL = ((0, ""),)


@pytest.fixture
def dns(services):
    """Return a function that makes services with a DNS."""

    def make(records=(), broken=(), **texts):
        made = services(**texts)
        made.resolver.records = dict(records)
        made.resolver.broken = set(broken)
        return made

    return make


async def test_a_helo_name_must_have_an_address_or_an_mx(dns, ask, new_session):
    check = existence.reject_unknown_helo_hostname(
        dns({("a.test", "A"): ("192.0.2.1",), ("m.test", "MX"): NULL})
    )
    for name in ("a.test", "m.test", "", "[192.0.2.1]"):
        assert await ask(check, new_session(helo=name)) is None
    assert await ask(check, new_session(helo="b.test")) == (
        "450 4.7.1 <b.test>: Helo command rejected: Host not found"
    )
    assert "invalid ip address" in await ask(check, new_session(helo="[x]"))


async def test_a_sender_domain_must_take_mail(dns, ask, new_session):
    made = dns({("a.test", "A"): ("192.0.2.1",), ("n.test", "MX"): NULL, ("w.test", "MX"): ((5, "-w-"),)})
    check = existence.reject_unknown_sender_domain(made)
    for sender in ("u@a.test", "u@here.test", "u@[192.0.2.1]", "", None):
        assert await ask(check, new_session(sender=sender)) is None
    head = "Sender address rejected:"
    answers = [await ask(check, new_session(sender=f"u@{name}.test")) for name in "bnw"]
    assert answers == [
        f"450 4.1.8 <u@b.test>: {head} Domain not found",
        f"550 5.7.27 <u@n.test>: {head} Domain n.test does not accept mail (nullMX)",
        f"450 4.1.8 <u@w.test>: {head} Malformed DNS server reply",
    ]


async def test_a_recipient_domain_must_take_mail_unless_it_is_ours(dns, ask):
    check = existence.reject_unknown_recipient_domain(dns({("n.test", "MX"): NULL}))
    for ours in ("u@here.test", "u@alias.test", "u@box.test", ""):
        assert await ask(check, recipient=ours) is None
    head = "Recipient address rejected:"
    answers = [await ask(check, recipient=f"u@{name}.test") for name in ("relay", "n")]
    assert answers == [
        f"450 4.1.2 <u@relay.test>: {head} Domain not found",
        f"556 5.1.10 <u@n.test>: {head} Domain n.test does not accept mail (nullMX)",
    ]


async def test_the_codes_are_parameters(dns, ask, session):
    made = dns(unknown_hostname_reject_code="554", unknown_address_reject_code="550")
    assert (await ask(existence.reject_unknown_helo_hostname(made)))[:3] == "554"
    assert (await ask(existence.reject_unknown_sender_domain(made)))[:3] == "550"


async def test_while_the_dns_is_silent_nothing_is_refused_for_good_or_accepted(world, say, new_session):
    client = new_session(sender="u@slow.test", helo="slow.test")
    for name in ("reject_unknown_sender_domain", "reject_unknown_helo_hostname"):
        here = world(smtpd_sender_restrictions=name)
        here.resolver.broken = {"slow.test"}
        assert (await say(here, "u@here.test", client))[:3] == "450"
        assert (await say(here, "x@example.org", client))[:3] == "554"


async def test_the_answer_to_a_silent_dns_may_be_given_at_once(world, say, new_session):
    client = new_session(sender="u@slow.test")
    here = world(
        smtpd_sender_restrictions="reject_unknown_sender_domain", unknown_address_tempfail_action="defer"
    )
    here.resolver.broken = {"slow.test"}
    assert await say(here, "x@example.org", client) == (
        "450 4.1.8 <u@slow.test>: Sender address rejected: Domain not found"
    )


async def test_without_a_resolver_nothing_is_known(services, ask, session):
    from postroad.policy.services import NoResolver

    made = services()
    made.resolver = NoResolver()
    assert (await ask(existence.reject_unknown_sender_domain(made)))[:3] == "450"


DROPPED = "lookup error: DNS reply filter drops all results"


async def test_a_filter_that_drops_all_refuses_nobody_and_is_noted(dns, ask, new_session, dropping, sink):
    made = dns({("a.test", "A"): ("192.0.2.1",), ("a.test", "MX"): ((10, "m.test"),)})
    made.resolver = dropping(made.resolver, made.log, A="IGNORE", MX="IGNORE")
    client = new_session(helo="a.test", sender="u@a.test")
    assert await ask(existence.reject_unknown_helo_hostname(made), client) is None
    assert sink.lines[-1] == f"smtpd: warning: a.test: address or MX {DROPPED}"
    assert await ask(existence.reject_unknown_sender_domain(made), client) is None
    assert sink.lines[-1] == f"smtpd: warning: a.test: MX or address {DROPPED}"
    assert sink.lines.count("smtpd: ignoring DNS RR: a.test. 0 IN MX 10 m.test.") == 2
    check = existence.reject_unknown_recipient_domain(made)
    assert await ask(check, client, "u@a.test") is None


async def test_a_broken_filter_is_a_silent_dns(dns, ask, new_session, dropping):
    made = dns(
        {("a.test", "A"): ("192.0.2.1",)},
        unknown_hostname_reject_code="550",
        unknown_address_reject_code="550",
    )
    made.resolver = dropping(made.resolver, made.log, A="WRONG")
    client = new_session(helo="a.test", sender="u@a.test")
    assert (await ask(existence.reject_unknown_helo_hostname(made), client))[:3] == "450"
    assert (await ask(existence.reject_unknown_sender_domain(made), client))[:3] == "450"
