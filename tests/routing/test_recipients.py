"""Unlisted recipients and senders, in Postfix's words."""

from __future__ import annotations

import pytest

from postroad.base.errors import TableUnavailable

SETTINGS = {
    "local_recipient_maps": "inline:{alice=x, bob@example.test=x}",
    "virtual_alias_domains": "alias.example",
    "virtual_alias_maps": "inline:{ {info@alias.example=alice}, {@all.alias.example=alice} }",
    "virtual_mailbox_domains": "box.example, catch.example",
    "virtual_mailbox_maps": "inline:{ {carol@box.example=box/carol/}, {@catch.example=x} }",
    "relay_domains": "relay.example",
    "relay_recipient_maps": "inline:{ {known@relay.example=x}, {@all.relay.example=x} }",
    "recipient_delimiter": "+",
    "canonical_maps": "inline:{ {old@example.test=alice} }",
    "sender_canonical_maps": "inline:{ {out@example.test=alice} }",
    "recipient_canonical_maps": "inline:{ {in@example.test=alice} }",
    "transport_maps": "inline:{ {later.example=retry:4.2.0 Closed for the night}, {no.example=error:5.7.1 never}, {dead.example=error:} }",
}


def said(reply):
    return None if reply is None else reply.line()


@pytest.mark.parametrize(
    "address",
    [
        "alice@example.test",
        "Alice@MX.example.test",
        "alice+tag@example.test",
        "bob@example.test",
        "alice",
        "postmaster@example.test",
        "MAILER-DAEMON@example.test",
        "double-bounce@example.test",
        "old@example.test",
        "in@example.test",
        "info@alias.example",
        "info+tag@alias.example",
        "INFO@Alias.Example",
        "carol@box.example",
        "any@catch.example",
        "known@relay.example",
        "known+tag@relay.example",
        "x@all.relay.example",
        "x@any.example",
        "x@-bad.example",
        "",
    ],
)
async def test_a_listed_recipient_passes(make, address):
    assert said(await make(**SETTINGS).check.refuse(address)) is None


@pytest.mark.parametrize(
    ("address", "code", "words"),
    [
        ("nobody@example.test", "550 5.1.1", "User unknown in local recipient table"),
        ("bob@mx.example.test", "550 5.1.1", "User unknown in local recipient table"),
        ("+tag@example.test", "550 5.1.1", "User unknown in local recipient table"),
        ("out@example.test", "550 5.1.1", "User unknown in local recipient table"),
        ("x@[192.0.2.2]", "550 5.1.1", "User unknown in local recipient table"),
        ("none@alias.example", "550 5.1.1", "User unknown in virtual alias table"),
        ("none@box.example", "550 5.1.1", "User unknown in virtual mailbox table"),
        ("none@relay.example", "550 5.1.1", "User unknown in relay recipient table"),
        ("x@later.example", "450 4.2.0", "Closed for the night"),
        ("x@no.example", "550 5.7.1", "never"),
        ("x@dead.example", "550 5.1.1", "Address is undeliverable"),
    ],
)
async def test_an_unlisted_recipient_is_refused(make, address, code, words):
    reply = await make(**SETTINGS).check.refuse(address)
    assert said(reply) == f"{code} <{address}>: Recipient address rejected: {words}"


@pytest.mark.parametrize(
    ("address", "code", "words"),
    [
        ("nobody@example.test", "550 5.1.0", "User unknown in local recipient table"),
        ("none@alias.example", "550 5.1.7", "User unknown in virtual alias table"),
        ("x@no.example", "550 5.7.1", "never"),
        ("x@dead.example", "550 5.1.0", "Address is undeliverable"),
    ],
)
async def test_an_unlisted_sender_is_refused(make, address, code, words):
    reply = await make(**SETTINGS).check.refuse(address, sender=True)
    assert said(reply) == f"{code} <{address}>: Sender address rejected: {words}"


async def test_a_sender_that_is_rewritten_exists(make):
    check = make(**SETTINGS).check
    for address in ("out@example.test", "old@example.test", "in@example.test", "x@any.example"):
        assert await check.refuse(address, sender=True) is None


@pytest.mark.parametrize(
    ("detail", "recipient", "sender"),
    [
        ("0", "5.1.0", "5.1.0"),
        ("1", "5.1.1", "5.1.7"),
        ("2", "5.1.2", "5.1.8"),
        ("3", "5.1.3", "5.1.7"),
        ("4", "5.1.4", "5.1.7"),
        ("5", "5.1.5", "5.1.0"),
        ("6", "5.1.6", "5.1.7"),
        ("7", "5.1.3", "5.1.7"),
        ("8", "5.1.2", "5.1.8"),
        ("9", "5.1.0", "5.1.0"),
    ],
)
async def test_a_status_speaks_of_what_is_refused(make, detail, recipient, sender):
    check = make(transport_maps="inline:{ {no.example=error:5.1." + detail + " text} }").check
    assert (await check.refuse("x@no.example")).status == recipient
    assert (await check.refuse("x@no.example", sender=True)).status == sender


async def test_codes_and_words_follow_the_settings(make):
    check = make(
        **SETTINGS,
        unknown_local_recipient_reject_code="450",
        unknown_virtual_alias_reject_code="551",
        unknown_virtual_mailbox_reject_code="553",
        unknown_relay_recipient_reject_code="451",
        show_user_unknown_table_name="no",
    ).check
    codes = []
    for domain in ("example.test", "alias.example", "box.example", "relay.example"):
        reply = await check.refuse(f"none@{domain}")
        assert reply.text.endswith("rejected: User unknown")
        codes.append((reply.code, reply.status))
    assert codes == [(450, "4.1.1"), (551, "5.1.1"), (553, "5.1.1"), (451, "4.1.1")]


async def test_without_a_list_every_recipient_exists(make):
    check = make(relay_domains="relay.example", virtual_mailbox_domains="box.example").check
    for domain in ("example.test", "relay.example", "box.example"):
        assert await check.refuse(f"none@{domain}") is None


@pytest.mark.parametrize(
    "name", ["local_recipient_maps", "virtual_alias_maps", "canonical_maps", "recipient_canonical_maps"]
)
async def test_a_table_that_fails_is_no_verdict(make, name):
    with pytest.raises(TableUnavailable):
        await make(**{name: "fail:x"}).check.refuse("nobody@example.test")


async def test_routing_in_the_address_is_followed_before_the_tables_are_asked(make):
    check = make(**SETTINGS).check
    assert await check.refuse("alice%example.test@mx.example.test") is None
    assert "local recipient table" in said(await check.refuse("nobody%example.test@mx.example.test"))


async def test_what_is_known_to_be_none_of_ours_passes_at_once(make):
    check = make(transport_maps=SETTINGS["transport_maps"]).check
    assert not check.passes("x@far.example")  # nobody has asked for it yet
    assert await check.refuse("x@far.example") is None
    plain = make(relay_domains="relay.example").check
    for address in ("x@far.example", "nobody@example.test", "x@relay.example"):
        await plain.refuse(address)
    assert plain.passes("y@far.example")
    assert not plain.passes("-y@far.example")
    assert not plain.passes("nobody@example.test")
    assert not plain.passes("x@relay.example")
    aliased = make(virtual_alias_maps="static:alice").check
    await aliased.refuse("x@far.example")
    assert not aliased.passes("x@far.example")
