from __future__ import annotations

from postroad.model.client import Client
from postroad.model.facts import facts_of
from postroad.model.session import Session

CLIENT = Client("192.0.2.1", 4711, name="mail.example.net", reverse_name="x.example.net")


def test_a_reply_may_say_who_the_client_is():
    session = Session(CLIENT, helo="y.example.net")
    values = facts_of(session, None)
    assert values["client"] == "mail.example.net[192.0.2.1]"
    assert (values["client_address"], values["client_port"]) == ("192.0.2.1", "4711")
    assert (values["client_name"], values["reverse_client_name"]) == ("mail.example.net", "x.example.net")
    assert values["helo_name"] == "y.example.net"
    assert {
        values[f"{who}{part}"] for who in ("sender", "recipient") for part in ("", "_name", "_domain")
    } == {""}


def test_a_reply_may_say_who_writes_to_whom():
    session = Session(CLIENT)
    session.transaction.sender = "a b@example.net"
    values = facts_of(session, "short")
    assert [values[name] for name in ("sender", "sender_name", "sender_domain")] == [
        "a b@example.net",
        "a b",
        "example.net",
    ]
    assert [values[name] for name in ("recipient", "recipient_name", "recipient_domain")] == [
        "short",
        "short",
        "",
    ]


def test_the_null_sender_has_a_name():
    session = Session(CLIENT)
    session.transaction.sender = ""
    values = facts_of(session, None)
    assert (values["sender"], values["sender_name"], values["sender_domain"]) == ("<>", "<>", "")
