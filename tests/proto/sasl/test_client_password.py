"""What each mechanism without a proof sends, and that it sends a secret no oftener than it has to."""

from __future__ import annotations

import pytest

from postroad.proto.sasl.client_password import CramMd5, External, Login, Plain
from postroad.proto.sasl.client_values import CHALLENGE_LIMIT, Credentials, SaslError

BOB = Credentials("bob", "pa:ss wörd")
TIM = Credentials("tim", "tanstaaftanstaaf")


def test_plain_says_everything_at_once():
    assert Plain(BOB).initial() == "\0bob\0pa:ss wörd".encode()
    assert Plain(Credentials("bob", "x", "amy")).initial() == b"amy\0bob\0x"


def test_plain_answers_an_empty_challenge_when_it_had_no_initial_response():
    assert Plain(BOB).respond(b"") == "\0bob\0pa:ss wörd".encode()


def test_login_answers_in_order_whatever_is_asked():
    exchange = Login(BOB)
    assert exchange.initial() is None
    assert exchange.respond(b"User Name\0") == b"bob"
    assert exchange.respond(b"") == "pa:ss wörd".encode()
    exchange.finished()


def test_cram_md5_is_that_of_rfc_2195():
    exchange = CramMd5(TIM)
    assert exchange.initial() is None
    challenge = b"<1896.697170952@postoffice.reston.mci.net>"
    assert exchange.respond(challenge) == b"tim b913a602c7eda7a495b4e6e7334d3890"
    exchange.finished()


def test_cram_md5_signs_no_empty_challenge():
    with pytest.raises(SaslError, match="^bad protocol / cancel"):
        CramMd5(TIM).respond(b"")


def test_external_names_for_whom_it_acts():
    assert External(Credentials("bob", "")).initial() == b"bob"
    assert External(Credentials("", "")).initial() == b""
    assert External(Credentials("bob", "", "amy")).respond(b"") == b"amy"


@pytest.mark.parametrize("make", [Plain, Login, CramMd5, External])
def test_nobody_is_told_more_than_the_mechanism_has(make):
    exchange = make(BOB)
    answers = [exchange.initial()]
    with pytest.raises(SaslError) as error:
        answers.extend(exchange.respond(b"again") for _ in range(3))
    assert "bad protocol / cancel" in str(error.value)
    assert "pa:ss" not in str(error.value)


@pytest.mark.parametrize("make", [Plain, Login, CramMd5, External])
def test_a_huge_challenge_is_refused(make):
    with pytest.raises(SaslError):
        make(BOB).respond(b"x" * (CHALLENGE_LIMIT + 1))
