"""Which list is asked when, and what becomes of its answer."""

from __future__ import annotations

import re

import pytest

from postroad.base import tasks

REFUSED = "554 5.7.1 <x@example.org>: Relay access denied"


async def test_a_stranger_may_send_to_our_domains_and_to_those_that_we_relay_for(world, say):
    here = world()
    for domain in ("here.test", "alias.test", "box.test", "relay.test"):
        assert await say(here, f"u@{domain}") == ""


async def test_a_stranger_may_not_send_elsewhere(world, say):
    assert await say(world(), "x@example.org") == REFUSED


async def test_the_default_of_the_relay_restrictions_defers(world, say):
    here = world(
        smtpd_relay_restrictions="permit_mynetworks, permit_sasl_authenticated, defer_unauth_destination"
    )
    assert await say(here, "x@example.org") == "454 4.7.1 <x@example.org>: Relay access denied"


async def test_a_trusted_client_and_a_login_may_send_anywhere(world, say, new_session):
    here = world(
        smtpd_relay_restrictions="permit_mynetworks permit_sasl_authenticated reject",
        smtpd_sasl_auth_enable="yes",
    )
    login = new_session()
    login.sasl_username = "alice"
    assert await say(here, "x@example.org", new_session("127.0.0.1")) == ""
    assert await say(here, "x@example.org", login) == ""
    assert await say(here, "x@example.org") == (
        "554 5.7.1 <x@example.org>: Recipient address rejected: Access denied"
    )


async def test_the_answer_for_a_trusted_client_needs_no_turn_of_the_loop(world, new_session):
    here, got = world(), []
    assert tasks.start(
        here.policy.recipient(new_session("127.0.0.1"), "u@here.test"), lambda *end: got.append(end)
    )
    assert got == [(None, None)]


@pytest.mark.parametrize(
    ("texts", "more"),
    [
        ({}, ""),
        ({"smtpd_client_restrictions": "reject", "smtpd_helo_restrictions": "reject"}, ""),
        ({"smtpd_delay_reject": "no"}, "mail"),
        ({"smtpd_delay_reject": "no", "smtpd_client_restrictions": "reject"}, "connect mail"),
        ({"smtpd_delay_reject": "no", "smtpd_helo_restrictions": "reject"}, "helo mail"),
        ({"smtpd_data_restrictions": "reject"}, "data"),
        ({"smtpd_end_of_data_restrictions": "reject"}, "end_of_data"),
    ],
)
def test_it_names_the_stages_at_which_it_has_anything_to_ask(world, texts, more):
    assert world(**texts).policy.stages == {"recipient", *more.split()}


async def test_postmaster_without_a_domain_is_always_accepted(world, say):
    assert await say(world(smtpd_recipient_restrictions="reject"), "Postmaster") == ""


@pytest.mark.parametrize(
    "address",
    [
        "user%other.test@here.test",
        "other.test!user@here.test",
        "user@other.test@here.test",
        "user@other.test@relay.test",
        "user%other.test@relay.test",
        "other.test!user@box.test",
    ],
)
async def test_routing_inside_an_address_is_refused_whatever_its_domain(world, say, address):
    assert await say(world(), address) == f"554 5.7.1 <{address}>: Relay access denied"


async def test_routing_that_leads_nowhere_is_bad_syntax(world, session):
    here = world()
    assert (await here.policy.routing(session, "!user@here.test")).line() == "501 5.1.3 Bad address syntax"
    assert await here.policy.routing(session, "user%other.test@here.test") is None
    here.router.broken = True
    reply = await here.policy.routing(session, "user%other.test@here.test")
    assert reply.line() == "451 4.3.0 <user%other.test@here.test>: Temporary lookup failure"


async def test_routing_without_a_domain_is_decided_by_what_it_means(world, say):
    here = world()
    for address in (
        "user%other.test",
        "other.test!user",
        "@here.test:user@other.test",
        "@here.test,@b.test:u@c.test",
    ):
        assert "Relay access denied" in await say(here, address)


async def test_allow_untrusted_routing_takes_routing_to_our_domains(world, say):
    assert await say(world(allow_untrusted_routing="yes"), "user%other.test@relay.test") == ""


async def test_an_unlisted_recipient_is_refused_unless_that_is_switched_off(world, say):
    text = "550 5.1.1 <nobody@here.test>: Recipient address rejected: User unknown in local recipient table"
    assert await say(world(), "nobody@here.test") == text
    assert await say(world(smtpd_reject_unlisted_recipient="no"), "nobody@here.test") == ""
    here = world(smtpd_recipient_restrictions="reject_unlisted_recipient")
    assert await say(here, "nobody@here.test") == text
    assert len(here.recipients.asked) == 1


async def test_a_recipient_is_asked_about_once_even_where_two_rules_say_so(world, say):
    here = world(smtpd_recipient_restrictions="reject_unlisted_recipient, check_recipient_maps")
    assert await say(here, "u@here.test") == ""
    assert here.recipients.asked == [("u@here.test", False)]


async def test_an_unlisted_sender_is_refused_only_on_request(world, say, new_session):
    client = new_session(sender="nobody@here.test")
    text = "550 5.1.0 <nobody@here.test>: Sender address rejected: User unknown in local recipient table"
    assert await say(world(), "u@here.test", client) == ""
    assert await say(world(smtpd_reject_unlisted_sender="yes"), "u@here.test", client) == text
    assert await say(world(smtpd_sender_restrictions="reject_unlisted_sender"), "u@here.test", client) == text
    bounce = new_session(sender="")
    assert await say(world(smtpd_reject_unlisted_sender="yes"), "u@here.test", bounce) == ""


async def test_delayed_lists_speak_at_rcpt_only(world, say, session):
    here = world(smtpd_client_restrictions="reject_unknown_client")
    assert await here.policy.connect(session) is None
    assert await here.policy.helo(session) is None
    assert await here.policy.mail(session) is None
    expected = "450 4.7.25 Client host rejected: cannot find your hostname, [192.0.2.10]"
    assert await say(here, "u@here.test") == expected
    assert await say(here, "u@relay.test") == expected


async def test_lists_that_are_not_delayed_speak_at_once(world, say, session):
    here = world(
        smtpd_delay_reject="no",
        smtpd_client_restrictions="reject",
        smtpd_helo_restrictions="reject",
        smtpd_sender_restrictions="reject",
    )
    texts = [
        (await here.policy.connect(session)).line(),
        (await here.policy.helo(session)).line(),
        (await here.policy.mail(session)).line(),
    ]
    assert texts == [
        "554 5.7.1 <unknown[192.0.2.10]>: Client host rejected: Access denied",
        "554 5.7.1 <x>: Helo command rejected: Access denied",
        "554 5.7.1 <a@example.net>: Sender address rejected: Access denied",
    ]
    assert await say(here, "u@here.test") == ""


async def test_without_helo_the_helo_list_is_passed_over(world, say, new_session):
    here = world(smtpd_helo_restrictions="reject")
    assert await say(here, "u@here.test", new_session(helo="")) == ""


async def test_a_table_that_cannot_be_asked_defers_and_never_accepts(world, say, new_session):
    worlds = [world(), world(), world(mynetworks="!127.0.0.1, fail:broken")]
    worlds[0].router.broken = worlds[1].recipients.broken = True
    for here in worlds:
        answer = await say(here, "u@relay.test", new_session())
        assert answer == "451 4.3.0 <u@relay.test>: Temporary lookup failure"
        assert "smtpd: warning: " in here.sink.lines[0]


async def test_networks_that_cannot_be_used_do_not_start(world):
    with pytest.raises(ValueError, match=re.escape("10.0.0.1/8")):
        world(mynetworks="10.0.0.1/8")


async def test_a_trusted_client_is_known_by_its_address_or_name_and_excluded_by_an_exclamation_mark(
    world, say, new_session
):
    here = world(mynetworks="!192.0.2.66, 192.0.2.0/24, [2001:db8::]/64, .friend.test")
    named = new_session("198.51.100.1")
    named.client.name = "mail.friend.test"
    assert await say(here, "x@example.org", named) == REFUSED
    for address, answer in (
        ("192.0.2.10", ""),
        ("192.0.2.66", REFUSED),
        ("2001:db8::7", ""),
        ("2001:db9::7", REFUSED),
    ):
        assert await say(here, "x@example.org", new_session(address)) == answer


async def test_warn_if_reject_does_not_hide_a_table_that_cannot_be_asked(world, say):
    here = world(smtpd_recipient_restrictions="warn_if_reject reject_unauth_destination, permit")
    here.router.broken = True
    assert (await say(here, "u@here.test")).startswith("451 4.3.0 ")


async def test_an_unknown_word_is_an_error_only_when_it_is_reached(world, say, new_session):
    here = world(smtpd_recipient_restrictions="permit_mynetworks, no_such_thing")
    assert await say(here, "u@here.test") == "451 4.3.5 Server configuration error"
    assert 'smtpd: warning: unknown smtpd restriction: "no_such_thing"' in here.sink.lines
    assert await say(here, "x@example.org", new_session("127.0.0.1")) == ""


async def test_defer_if_permit_takes_the_place_of_a_yes_but_not_of_a_no(world, say):
    here = world(smtpd_client_restrictions="defer_if_permit")
    assert await say(here, "u@here.test") == (
        "450 4.7.0 <unknown[192.0.2.10]>: Client host rejected: defer_if_permit requested"
    )
    assert await say(here, "x@example.org") == REFUSED


async def test_defer_if_permit_at_an_early_stage_is_remembered(world, say, session):
    here = world(smtpd_delay_reject="no", smtpd_client_restrictions="defer_if_permit")
    assert await here.policy.connect(session) is None
    assert await here.policy.helo(session) is None
    assert await here.policy.mail(session) is None
    assert (await say(here, "u@here.test")).startswith("450 4.7.0 <unknown[192.0.2.10]>")
    assert (await here.policy.etrn(session, "here.test")).code == 450


async def test_defer_if_reject_takes_the_place_of_a_5xx(world, say):
    here = world(smtpd_recipient_restrictions="defer_if_reject, reject")
    assert await say(here, "u@here.test") == (
        "450 4.7.0 <u@here.test>: Recipient address rejected: defer_if_reject requested"
    )


async def test_recipient_restrictions_come_first_when_asked_to(world, say):
    texts = {"smtpd_relay_restrictions": "reject", "smtpd_recipient_restrictions": "defer"}
    last = world(**texts, smtpd_relay_before_recipient_restrictions="no")
    assert (await say(last, "u@here.test")).startswith("450 4.3.2")
    assert (await say(world(**texts), "u@here.test")).startswith("554 5.7.1")


async def test_permit_ends_its_own_list_only(world, say):
    here = world(smtpd_recipient_restrictions="permit, reject")
    assert await say(here, "x@example.org") == REFUSED


async def test_data_names_the_recipient_only_when_there_is_one(world, session, recipient):
    here = world(smtpd_data_restrictions="reject_unauth_destination")
    session.transaction.recipients = [recipient("x@example.org")]
    assert (await here.policy.data(session)).line() == REFUSED
    session.transaction.recipients.append(recipient("y@example.org"))
    assert await here.policy.data(session) is None


async def test_data_and_end_of_data_name_themselves(world, session):
    here = world(smtpd_data_restrictions="reject", smtpd_end_of_data_restrictions="defer")
    assert (
        await here.policy.data(session)
    ).line() == "554 5.7.1 <DATA>: Data command rejected: Access denied"
    assert (await here.policy.end_of_data(session, 10)).line() == (
        "450 4.3.2 <END-OF-MESSAGE>: End-of-data rejected: Try again later"
    )
    quiet = world()
    assert await quiet.policy.data(session) is None
    assert await quiet.policy.end_of_data(session, 10) is None


async def test_a_bounce_with_several_recipients_is_refused_at_data(world, new_session, recipient):
    here, client = world(smtpd_data_restrictions="reject_multi_recipient_bounce"), new_session(sender="")
    client.transaction.recipients = [recipient("u@here.test")]
    assert await here.policy.data(client) is None
    client.transaction.recipients.append(recipient("v@here.test"))
    expected = "550 5.5.3 <DATA>: Data command rejected: Multi-recipient bounce"
    assert (await here.policy.data(client)).line() == expected


async def test_etrn_asks_its_own_list(world, session, new_session):
    here = world(smtpd_etrn_restrictions="permit_mynetworks, reject")
    refusal = await here.policy.etrn(session, "here.test")
    assert refusal.line() == "554 5.7.1 <here.test>: Etrn command rejected: Access denied"
    assert await here.policy.etrn(new_session("127.0.0.1"), "here.test") is None


async def test_vrfy_is_asked_what_rcpt_is_asked(world, session):
    reply = await world().policy.verify(session, "nobody@here.test")
    assert reply.status == "5.1.1"
    session.transaction.sender = None
    assert await world(smtpd_sender_restrictions="reject").policy.verify(session, "u@here.test") is None


async def test_a_restriction_class_is_a_list_of_its_own(world, say):
    here = world(
        smtpd_restriction_classes="strict",
        strict="permit_auth_destination, reject",
        smtpd_recipient_restrictions="strict",
        smtpd_relay_restrictions="",
    )
    assert await say(here, "u@here.test") == ""
    assert (await say(here, "x@example.org")).startswith("554 5.7.1")


async def test_a_restriction_class_without_a_definition_does_not_start(world):
    with pytest.raises(ValueError, match="restriction class `lost' needs a definition"):
        world(smtpd_restriction_classes="lost")


async def test_soft_bounce_turns_every_refusal_into_a_4xx(world, say):
    assert await say(world(soft_bounce="yes"), "x@example.org") == (
        "454 4.7.1 <x@example.org>: Relay access denied"
    )


async def test_where_nothing_decides_on_relaying_todays_default_does(world, say, new_session):
    here = world(smtpd_relay_restrictions="", smtpd_recipient_restrictions="permit_mynetworks")
    assert await say(here, "x@example.org") == "454 4.7.1 <x@example.org>: Relay access denied"
    assert await say(here, "x@example.org", new_session("127.0.0.1")) == ""


def test_a_relay_list_without_a_guard_does_not_start(world):
    with pytest.raises(ValueError, match="specify at least one working instance of"):
        world(smtpd_relay_restrictions="permit_mynetworks")


async def test_a_table_alone_is_the_access_check_of_its_list(world, say, session):
    lists = {
        "client": ("192.0.2.10", "<unknown[192.0.2.10]>: Client host"),
        "helo": ("x", "<x>: Helo command"),
        "sender": ("a@example.net", "<a@example.net>: Sender address"),
        "recipient": ("u@here.test", "<u@here.test>: Recipient address"),
    }
    for name, (key, what) in lists.items():
        here = world(**{f"smtpd_{name}_restrictions": f"inline:{{ {{{key} = REJECT}} }}"})
        assert await say(here, "u@here.test") == f"554 5.7.1 {what} rejected: Access denied"
    here = world(smtpd_data_restrictions="inline:{ {a = REJECT} }")
    assert (await here.policy.data(session)).line() == "451 4.3.5 Server configuration error"
