"""SCRAM against the examples of its specifications, against another library's server, and against liars."""

from __future__ import annotations

import base64
import hashlib

import pytest
import scramp
from hypothesis import given
from hypothesis import strategies as st

from postroad.proto.sasl.client_scram import MOST_ROUNDS, Scram, prepared
from postroad.proto.sasl.client_values import CHALLENGE_LIMIT, Credentials, SaslError

USER = Credentials("user", "pencil")
SHA1 = ("fyko+d2lbbFgONRv9qkxdawL", b"r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096")
SHA256 = (
    "rOprNGfwEbeRWgbNEkqO",
    b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
)


def test_the_example_of_rfc_5802():
    exchange = Scram("SCRAM-SHA-1", USER, SHA1[0])
    assert exchange.initial() == b"n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL"
    assert exchange.respond(SHA1[1]) == (
        b"c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts="
    )
    assert exchange.respond(b"v=rmF9pqV8S7suAoZWja4dJRkFsKQ=") == b""
    exchange.finished()


def test_the_example_of_rfc_7677():
    exchange = Scram("SCRAM-SHA-256", USER, SHA256[0])
    exchange.initial()
    assert exchange.respond(SHA256[1]) == (
        b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
        b"p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
    )
    exchange.respond(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")
    exchange.finished()


def serve(name, username, password, exchange, binding=None):
    """Play a whole exchange with scramp's server; returns what it says at last."""
    mechanism = scramp.ScramMechanism(name)
    salt, stored, key, rounds = mechanism.make_auth_info(password)

    def known(who):
        assert who == username
        return salt, stored, key, rounds

    server = mechanism.make_server(known, channel_binding=binding)
    server.set_client_first(exchange.initial().decode())
    server.set_client_final(exchange.respond(server.get_server_first().encode()).decode())
    return server.get_server_final().encode()


@pytest.mark.parametrize("name", ["SCRAM-SHA-1", "SCRAM-SHA-256"])
@pytest.mark.parametrize("username", ["bob", "a=b,c", "jürgen@x.example"])
def test_another_librarys_server_agrees(name, username):
    exchange = Scram(name, Credentials(username, "pässword"), "abcdefg")
    final = serve(name, username, "pässword", exchange)
    assert exchange.respond(final) == b""
    exchange.finished()


def test_the_channel_is_bound():
    binding = ("tls-server-end-point", b"\x01\x02\x03")
    exchange = Scram("SCRAM-SHA-256-PLUS", USER, "abcdefg", binding)
    assert exchange.initial().startswith(b"p=tls-server-end-point,,")
    again = Scram("SCRAM-SHA-256-PLUS", USER, "abcdefg", binding)
    final = serve("SCRAM-SHA-256-PLUS", "user", "pencil", again, binding)
    again.finished(final)
    relayed = Scram("SCRAM-SHA-256-PLUS", USER, "abcdefg", ("tls-server-end-point", b"another"))
    with pytest.raises(scramp.ScramException):
        serve("SCRAM-SHA-256-PLUS", "user", "pencil", relayed, binding)


def test_the_exporter_of_tls_1_3_is_bound_with_its_name():
    exchange = Scram("SCRAM-SHA-1-PLUS", USER, SHA1[0], ("tls-exporter", b"data"))
    exchange.initial()
    bound = exchange.respond(SHA1[1]).split(b",")[0].removeprefix(b"c=")
    assert base64.b64decode(bound) == b"p=tls-exporter,,data"


def test_a_server_that_struck_the_bound_form_from_its_list_is_found_out():
    # RFC 5802 6: scramp's server, which does support binding, refuses the client's "y".
    exchange = Scram("SCRAM-SHA-256", USER, "abcdefg", ("tls-exporter", b"x"), knows=True)
    assert exchange.initial().startswith(b"y,,")
    again = Scram("SCRAM-SHA-256", USER, "abcdefg", knows=True)
    with pytest.raises(scramp.ScramException, match="channel-binding"):
        serve("SCRAM-SHA-256", "user", "pencil", again, ("tls-server-end-point", b"x"))


def test_who_is_acted_for_is_named_and_escaped():
    exchange = Scram("SCRAM-SHA-1", Credentials("user", "pencil", "a=b,c"), "abcdefg")
    assert exchange.initial() == b"n,a=a=3Db=2Cc,n=user,r=abcdefg"


def begun(challenge=SHA1[1]):
    exchange = Scram("SCRAM-SHA-1", USER, SHA1[0])
    exchange.initial()
    return exchange, exchange.respond(challenge)


def test_a_server_that_does_not_prove_itself_is_not_believed():
    exchange, _ = begun()
    with pytest.raises(SaslError, match="mutual authentication"):
        exchange.finished()
    early = Scram("SCRAM-SHA-1", USER, SHA1[0])
    early.initial()
    with pytest.raises(SaslError, match="mutual authentication"):
        early.finished()


@pytest.mark.parametrize(
    "final",
    [
        b"v=" + base64.b64encode(hashlib.sha1(b"x").digest()),
        b"v=rmF9pqV8S7suAoZWja4dJRkFsKQ",
        b"v=",
        b"",
        b"e=unknown-user",
        b"w=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
        b"\xff" * 40,
    ],
)
def test_a_wrong_or_missing_signature_fails(final):
    exchange, _ = begun()
    with pytest.raises(SaslError) as error:
        exchange.respond(final)
    assert "pencil" not in str(error.value)
    with pytest.raises(SaslError):
        exchange.finished()


def test_a_signature_may_come_with_the_success():
    exchange, _ = begun()
    exchange.finished(b"v=rmF9pqV8S7suAoZWja4dJRkFsKQ=")


def test_after_the_signature_there_is_nothing_more_to_ask():
    exchange, _ = begun()
    exchange.respond(b"v=rmF9pqV8S7suAoZWja4dJRkFsKQ=")
    with pytest.raises(SaslError):
        exchange.respond(b"v=rmF9pqV8S7suAoZWja4dJRkFsKQ=")


@pytest.mark.parametrize(
    "challenge",
    [
        b"",
        b"nonsense",
        b"r=someoneelse,s=QSXCR+Q6sek8bf92,i=4096",
        b"r=fyko+d2lbbFgONRv9qkxdawL,s=QSXCR+Q6sek8bf92,i=4096",  # nothing of its own
        SHA1[1].replace(b"i=4096", b"i=4095"),
        SHA1[1].replace(b"i=4096", b"i=1"),
        SHA1[1].replace(b"i=4096", b"i=0"),
        SHA1[1].replace(b"i=4096", b"i=-4096"),
        SHA1[1].replace(b"i=4096", b"i=%d" % (MOST_ROUNDS + 1)),
        SHA1[1].replace(b"i=4096", b"i=" + b"9" * 5000),
        SHA1[1].replace(b"s=QSX", b"s=QS"),
        SHA1[1].replace(b"s=QSX", b"s==QSX"),
        SHA1[1].replace(b"fyko", "fykö".encode()),
        b"m=ext," + SHA1[1],
        SHA1[1].rpartition(b",")[0],
        SHA1[1] + b"," + b"x" * CHALLENGE_LIMIT,
    ],
)
def test_a_hostile_challenge_fails_before_any_work(challenge):
    with pytest.raises(SaslError) as error:
        begun(challenge)
    assert "pencil" not in str(error.value)


@given(st.binary(max_size=200))
def test_garbage_is_an_error_of_ours_and_nothing_else(challenge):
    with pytest.raises(SaslError):
        begun(challenge)


def test_extensions_behind_the_rounds_are_passed_over():
    # RFC 5802 5.1: optional extensions are to be ignored; they are part of what is signed.
    _, response = begun(SHA1[1] + b",ext=1")
    assert response.startswith(b"c=biws,r=")
    assert response != begun()[1]


def test_no_initial_response_only_delays_the_first_message():
    exchange = Scram("SCRAM-SHA-1", USER, SHA1[0])
    assert exchange.respond(b"") == b"n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL"
    assert exchange.respond(SHA1[1]).endswith(b"p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=")


def test_names_are_prepared_and_what_may_not_be_is_left():
    assert prepared("I\u00adX") == b"IX"
    assert prepared("\u2168") == b"IX"
    assert prepared("\u0627" + "1") == "\u06271".encode()
    assert prepared(b"\xff".decode("utf-8", "surrogateescape")) == b"\xff"
