import pytest

from postroad.intake.origin import Origins, attributes
from postroad.model.client import Client
from postroad.model.forwarded import Forwarded
from postroad.model.session import Session


def field(bench, texts=None, **facts):
    b = bench(**(texts or {}))
    session = b.session(**facts)
    return Origins(b.settings).received(session, f"{1:015X}", "DATE").decode()


def test_the_field_follows_what_the_session_became(bench):
    b = bench()
    origins = Origins(b.settings)
    session = b.session()
    assert " with ESMTP id 000000000000001\r\n" in origins.received(session, f"{1:015X}", "D").decode()
    session.tls = "(using TLSv1.3)"
    session.helo = "other"
    text = origins.received(session, f"{2:015X}", "D").decode()
    assert text.startswith("Received: from other (unknown [192.0.2.10])\r\n\tby ")
    assert " with ESMTPS id 000000000000002\r\n" in text


def test_clients_have_fields_of_their_own_however_many_there_are(bench):
    b = bench()
    origins = Origins(b.settings)
    for number in [*range(2500), 7]:
        session = b.session()
        session.client.address = f"192.0.2.{number}"
        text = origins.received(session, f"{1:015X}", "D").decode()
        assert text.startswith(f"Received: from c.example.net (unknown [192.0.2.{number}])\r\n")
    session.client.name = "known.example"
    assert "(known.example [192.0.2.7])" in origins.received(session, f"{1:015X}", "D").decode()
    assert len(origins._heads) <= 1000


@pytest.mark.parametrize(("value", "expected"), [("yes", True), ("no", False)])
def test_tls_and_login_are_named_if_configured(bench, value, expected):
    texts = {"smtpd_tls_received_header": value, "smtpd_sasl_authenticated_header": value}
    text = field(bench, texts, tls="(using TLSv1.3\n key X)", sasl_username="al")
    assert ("\t(using TLSv1.3\r\n\t key X)\r\n\t(Authenticated sender: al)\r\n\tby " in text) is expected
    assert "with ESMTPSA id" in text


def test_a_hidden_client_is_not_named(bench):
    text = field(bench, {"smtpd_hide_client_session": "yes"})
    assert text == (
        "Received: by mx.example.test (Postfix) id 000000000000001\r\n\tfor <alice@example.test>; DATE\r\n"
    )


def test_what_is_remembered_of_a_client(bench):
    b = bench()
    assert attributes(b.session(uid=1)) == {"rewrite_context": "local"}
    found = attributes(b.session(sasl_username="al", sasl_method="PLAIN", sasl_sender="al@x"))
    assert found["log_client_name"] == "unknown"
    assert found["log_helo_name"] == "c.example.net"
    assert (found["sasl_username"], found["sasl_method"], found["sasl_sender"]) == ("al", "PLAIN", "al@x")


def test_what_xforward_says_takes_the_place_of_the_client():
    session = Session(Client("192.0.2.1", 4, name="proxy.example"), helo="proxy", protocol="ESMTP")
    session.transaction.forwarded = Forwarded(ident="4XYZ")
    assert attributes(session)["log_client_name"] == "proxy.example"
    session.transaction.forwarded = Forwarded(name="n.example", ident="4XYZ", about_client=True)
    assert attributes(session) == {
        "log_ident": "4XYZ",
        "log_client_name": "n.example",
        "log_client_address": "unknown",
        "log_client_port": "unknown",
        "log_helo_name": "",
        "log_protocol_name": "unknown",
    }


def test_a_message_that_is_handed_on_has_a_field_without_an_id(bench):
    b = bench()
    origins = Origins(b.settings)
    several = origins.passing(b.session("a@x", "b@x"), "DATE").decode()
    assert several.endswith(") with ESMTP;\r\n\tDATE\r\n")
    assert " id " not in several
    one = origins.passing(b.session("a@x"), "DATE").decode()
    assert one.endswith(") with ESMTP\r\n\tfor <a@x>; DATE\r\n")
