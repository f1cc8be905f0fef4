from __future__ import annotations

import pytest

from postroad.model.reply import Reply
from postroad.proto.machine import State

BANNER = "220 mx.example.test ESMTP"


@pytest.fixture
def proxy(talk):
    talk.server.xclient = talk.server.xforward = True
    talk.ask("EHLO proxy.example")
    return talk


def test_both_are_announced_to_those_who_may(talk):
    assert not [line for line in talk.say("EHLO x\r\n") if "250-XC" in line or "250-XF" in line]
    talk.server.xclient = talk.server.xforward = True
    said = talk.say("EHLO x\r\n")
    assert "250-XCLIENT NAME ADDR PROTO HELO REVERSE_NAME PORT LOGIN DESTADDR DESTPORT" in said
    assert "250-XFORWARD NAME ADDR PROTO HELO SOURCE PORT IDENT" in said


@pytest.mark.parametrize("verb", ["XCLIENT", "XFORWARD"])
def test_nobody_else_may_use_them(talk, verb):
    assert talk.ask(verb) == f"501 5.5.4 Syntax: {verb} attribute=value..."
    assert talk.ask(f"{verb} NAME=a.example") == "550 5.7.0 Error: insufficient authorization"
    assert talk.server.session.client.name == "unknown"


def test_xclient_makes_another_client_and_begins_anew(proxy):
    answer = proxy.ask(
        "XCLIENT NAME=spike.example ADDR=192.0.2.9 PORT=25000 HELO=he+3Clo PROTO=ESMTP LOGIN=joe"
        " DESTADDR=198.51.100.1 DESTPORT=26"
    )
    assert answer == BANNER
    session = proxy.server.session
    client = session.client
    assert (client.name, client.name_code, client.reverse_name) == ("spike.example", 2, "spike.example")
    assert (client.address, client.port) == ("192.0.2.9", 25000)
    assert (client.server_address, client.server_port) == ("198.51.100.1", 26)
    assert (session.helo, session.protocol) == ("he?lo", "ESMTP")
    assert (session.sasl_username, session.sasl_method) == ("joe", "XCLIENT")
    assert proxy.hooks.asked[-1] == ("xclient",)


def test_what_xclient_does_not_say_of_the_session_is_gone(proxy):
    session = proxy.server.session
    session.sasl_username = session.sasl_method = "x"
    session.memory["judged"] = True
    session.client.trusted = True
    proxy.ask("XCLIENT ADDR=192.0.2.9")
    assert (session.helo, session.protocol, session.sasl_username, session.sasl_method) == (
        "",
        "SMTP",
        "",
        "",
    )
    assert not session.memory
    assert not session.client.trusted


def test_what_has_no_value_for_the_proxy_either(proxy):
    proxy.ask("XCLIENT NAME=a.example REVERSE_NAME=[UNAVAILABLE]", "XCLIENT NAME=[tempunavail]")
    client = proxy.server.session.client
    assert (client.name, client.name_code) == ("unknown", 4)
    assert (client.reverse_name, client.reverse_name_code) == ("unknown", 5)
    proxy.ask("XCLIENT ADDR=[unavailable] PORT=[UNAVAILABLE] HELO=[UNAVAILABLE] LOGIN=[UNAVAILABLE]")
    client = proxy.server.session.client
    assert (client.address, client.port) == ("unknown", 0)


@pytest.mark.parametrize(
    ("said", "address"),
    [
        ("IPV6:2001:DB8:0::1", "2001:db8::1"),
        ("ipv6:2001:db8::2", "2001:db8::2"),
        ("IPV6:::ffff:1.2.3.4", "1.2.3.4"),
        ("1.2.3.4", "1.2.3.4"),
    ],
)
def test_addresses_are_read(proxy, said, address):
    assert proxy.ask(f"XCLIENT ADDR={said}") == BANNER
    assert proxy.server.session.client.address == address


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ("NAME", "Error: attribute=value expected"),
        ("NAME=", "Error: attribute=value expected"),
        ("=x", "Bad XCLIENT attribute name: "),
        ("Foo=bar", "Bad XCLIENT attribute name: Foo"),
        ("ADDR=192.0.2.9 BAD=1", "Bad XCLIENT attribute name: BAD"),
        ("name=-bad-", "Bad NAME syntax: -bad-"),
        ("NAME=foo+ZZbar", "Bad NAME syntax: foo+ZZbar"),
        ("REVERSE_NAME=b@d", "Bad REVERSE_NAME syntax: b@d"),
        ("ADDR=1.2.3", "Bad ADDR syntax: 1.2.3"),
        ("ADDR=2001:db8::2", "Bad ADDR syntax: 2001:db8::2"),
        ("ADDR=IPV6:1.2.3.4", "Bad ADDR syntax: IPV6:1.2.3.4"),
        ("ADDR=[1.2.3.4]", "Bad ADDR syntax: [1.2.3.4]"),
        ("PORT=abc", "Bad PORT syntax: abc"),
        ("PROTO=LMTP", "Bad PROTO syntax: LMTP"),
        ("DESTADDR=zzz", "Bad DESTADDR syntax: zzz"),
        ("DESTPORT=123456", "Bad DESTPORT syntax: 123456"),
        ("HELO=" + "a" * 256, "Error: attribute value too long"),
    ],
)
def test_bad_attributes_change_nothing(proxy, said, text):
    before = proxy.server.session.client
    assert proxy.ask(f"XCLIENT {said}") == f"501 5.5.4 {text}"
    assert proxy.server.session.client is before
    assert proxy.server.session.helo == "proxy.example"
    assert proxy.server.errors == 1


def test_nothing_unprintable_gets_through(proxy):
    proxy.ask("XCLIENT HELO=a+0D+0Ab+00c")
    assert proxy.server.session.helo == "a??b"


def test_neither_is_taken_within_a_transaction(proxy):
    proxy.to("mail")
    for verb in ("XCLIENT", "XFORWARD"):
        assert proxy.ask(f"{verb} NAME=a.example") == "503 5.5.1 Error: MAIL transaction in progress"


def test_the_other_client_may_be_refused(proxy):
    proxy.hooks.replies["xclient"] = Reply(554, "5.7.1", "no")
    assert proxy.ask("XCLIENT ADDR=192.0.2.9") == "554 5.7.1 no"
    assert proxy.server.state is State.DENIED
    assert proxy.ask("XCLIENT ADDR=192.0.2.1").startswith("503 5.7.0 Error: access denied")


def test_what_follows_waits_for_the_answer(proxy, pending):
    proxy.hooks.replies["xclient"] = pending
    assert proxy.say("XCLIENT ADDR=192.0.2.9\r\nMAIL FROM:<a@example.net>\r\n") == []
    proxy.server.answer(None)
    assert proxy.said() == [BANNER, "250 2.1.0 Ok"]


def test_tls_that_is_demanded_stays_demanded(make_talk):
    talk = make_talk(starttls=True, tls_required=True)
    talk.server.xclient = True
    assert talk.ask("XCLIENT ADDR=192.0.2.9") == BANNER
    assert talk.ask("MAIL FROM:<a@example.net>").startswith("530 ")


def test_xforward_is_remembered_for_one_message(proxy):
    assert proxy.ask("XFORWARD NAME=n.example ADDR=IPV6:2001:db8::5 PORT=55") == "250 2.0.0 Ok"
    assert proxy.ask("XFORWARD PROTO=SMTP HELO=h+3Cx IDENT=4XYZ SOURCE=local") == "250 2.0.0 Ok"
    proxy.ask("MAIL FROM:<a@example.net>")
    forwarded = proxy.server.session.transaction.forwarded
    assert forwarded.origin == "n.example[2001:db8::5]"
    assert (forwarded.port, forwarded.protocol, forwarded.helo) == ("55", "SMTP", "h?x")
    assert (forwarded.ident, forwarded.source, forwarded.about_client) == ("4XYZ", "LOCAL", True)
    assert proxy.server.session.client.name == "unknown"
    proxy.ask("RSET")
    assert proxy.server.session.transaction.forwarded is None


def test_xforward_may_say_nothing_of_the_client(proxy):
    proxy.ask("XFORWARD IDENT=4XYZ SOURCE=REMOTE")
    assert not proxy.server.session.transaction.forwarded.about_client
    proxy.ask("XFORWARD NAME=[UNAVAILABLE] IDENT=[UNAVAILABLE] SOURCE=[UNAVAILABLE]")
    forwarded = proxy.server.session.transaction.forwarded
    assert (forwarded.origin, forwarded.ident, forwarded.source) == ("unknown", "", "")
    assert forwarded.about_client


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ("NAME", "Error: attribute=value expected"),
        ("FOO=1", "Bad XFORWARD attribute name: FOO"),
        ("NAME=a_b<", "Bad NAME syntax: a_b?"),
        ("NAME=[TEMPUNAVAIL]", "Bad NAME syntax: [TEMPUNAVAIL]"),
        ("ADDR=zz", "Bad ADDR syntax: zz"),
        ("PORT=zz", "Bad PORT syntax: zz"),
        ("PROTO=" + "a" * 65, "Bad PROTO syntax: " + "a" * 65),
        ("SOURCE=FOO", "Bad SOURCE syntax: FOO"),
        ("IDENT=" + "a" * 256, "Error: attribute value too long"),
    ],
)
def test_xforward_that_cannot_be_read_changes_nothing(proxy, said, text):
    proxy.ask("XFORWARD HELO=before")
    assert proxy.ask(f"XFORWARD HELO=after {said}") == f"501 5.5.4 {text}"
    assert proxy.server.session.transaction.forwarded.helo == "before"
