import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.mail.header import block_end
from postroad.mail.received import (
    client_clauses,
    fit,
    internal_field,
    local_field,
    recipient_clause,
    with_protocol,
)
from postroad.model.client import Client
from postroad.model.message import Recipient
from postroad.model.session import Session, Transaction


def session(address="192.0.2.10", *recipients, **facts):
    utf8 = facts.pop("smtputf8", False)
    transaction = Transaction(recipients=[Recipient(r) for r in recipients], smtputf8=utf8)
    facts.setdefault("protocol", "ESMTP")
    return Session(Client(address, name=facts.pop("name", "unknown")), transaction=transaction, **facts)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"protocol": "SMTP"}, "SMTP"),
        ({}, "ESMTP"),
        ({"tls": "x"}, "ESMTPS"),
        ({"sasl_username": "u"}, "ESMTPA"),
        ({"tls": "x", "sasl_username": "u"}, "ESMTPSA"),
        ({"smtputf8": True}, "UTF8SMTP"),
        ({"smtputf8": True, "tls": "x", "sasl_username": "u"}, "UTF8SMTPSA"),
        ({"protocol": "LMTP"}, "LMTP"),
        ({"protocol": "LMTP", "smtputf8": True}, "UTF8LMTP"),
    ],
)
def test_the_protocol_says_how_the_message_came(facts, expected):
    assert with_protocol(session(**facts)) == expected


@pytest.mark.parametrize(
    ("helo", "expected"),
    [
        ("mx.example.net", "mx.example.net"),
        ("[IPv6:::1]", "[IPv6:::1]"),
        ('a<b>(c)d"e;f@g\\h:i j', "a?b??c?d?e?f?g?h:i?j"),
        ("ä.test", "ä.test"),
        ("a\r\nX: y", "a??X:?y"),
    ],
)
def test_what_a_client_says_of_itself_cannot_break_the_field(helo, expected):
    assert fit(helo) == expected


def test_client_clauses_name_the_client():
    text = client_clauses(session("2001:db8::1", helo="h", name="c.example"), tls=True, login=True)
    assert text == "Received: from h (c.example [IPv6:2001:db8::1])\r\n"
    text = client_clauses(session(helo="", name="c.example"), tls=False, login=False)
    assert text == "Received: from c.example (c.example [192.0.2.10])\r\n"


def test_one_recipient_is_named_and_several_are_not():
    assert recipient_clause(session("192.0.2.1", "a b@x"), "D") == '\r\n\tfor <"a b"@x>; D\r\n'
    assert recipient_clause(session("192.0.2.1", "a@x", "b@x"), "D") == ";\r\n\tD\r\n"


def test_the_fields_of_our_own_messages():
    assert local_field("h", "Postfix", 1000, "Q", "D") == (
        "Received: by h (Postfix, from userid 1000)\r\n\tid Q; D\r\n"
    )
    assert internal_field("h", "Postfix", "Q", "D") == "Received: by h (Postfix)\r\n\tid Q; D\r\n"


@given(st.text(), st.text(), st.text())
def test_the_field_stays_one_field_whatever_clients_say(helo, name, recipient):
    s = session("192.0.2.1", recipient, helo=helo, name=name or "unknown")
    text = client_clauses(s, tls=False, login=True) + "\tby h with ESMTP id Q" + recipient_clause(s, "D")
    data = text.encode("utf-8", "replace")
    assert block_end(data) == len(data)
    assert data.count(b"\n") == 3
