"""Tokens go out as their specifications say, and a refusal is answered once."""

from __future__ import annotations

import pytest

from postroad.proto.sasl.client_oauth import OauthBearer, Xoauth2
from postroad.proto.sasl.client_values import Credentials, SaslError

BOB = Credentials("user@example.com", "vF9dft4qmT", token=True)


def test_oauthbearer_is_that_of_rfc_7628():
    message = OauthBearer(BOB, "server.example.com", 143).initial()
    assert message == (
        b"n,a=user@example.com,\x01host=server.example.com\x01port=143\x01auth=Bearer vF9dft4qmT\x01\x01"
    )


def test_oauthbearer_leaves_out_what_is_not_known_and_escapes_names():
    message = OauthBearer(Credentials("a,b=c", "t"), "", 0).initial()
    assert message == b"n,a=a=2Cb=3Dc,\x01auth=Bearer t\x01\x01"


def test_xoauth2_is_as_google_describes_it():
    assert Xoauth2(BOB).initial() == b"user=user@example.com\x01auth=Bearer vF9dft4qmT\x01\x01"


@pytest.mark.parametrize(
    ("exchange", "last"), [(OauthBearer(BOB, "h", 25), b"\x01"), (Xoauth2(BOB), b"")], ids=["bearer", "x"]
)
def test_a_refusal_is_answered_once_and_is_no_success(exchange, last):
    exchange.initial()
    assert exchange.respond(b'{"status":"invalid_token"}') == last
    with pytest.raises(SaslError):
        exchange.respond(b"more")
    with pytest.raises(SaslError) as error:
        exchange.finished()
    assert "vF9dft4qmT" not in str(error.value)


def test_a_server_that_did_not_take_the_initial_response_gets_the_token_then():
    exchange = Xoauth2(BOB)
    assert exchange.respond(b"").startswith(b"user=")
    exchange.finished()
