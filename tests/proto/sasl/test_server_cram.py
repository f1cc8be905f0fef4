import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.proto.sasl.client_password import CramMd5
from postroad.proto.sasl.client_values import Credentials
from postroad.proto.sasl.server import WRONG, Done, Failed, FindSecret
from postroad.proto.sasl.server_cram import cram_md5
from proto.sasl.driving import Driver, run

CHALLENGE = b"<1896.697170952@postoffice.reston.mci.net>"


def secret(wish):
    assert isinstance(wish, FindSecret)
    password = b"tanstaaftanstaaf" if wish.username == "tim" else b"nobody's"
    return lambda challenge: hmac.new(password, challenge, "md5").hexdigest()


def test_the_example_of_rfc_2195():
    found = run(cram_md5(CHALLENGE), [None, b"tim b913a602c7eda7a495b4e6e7334d3890"], secret)
    assert found == [CHALLENGE, Done("tim")]


def test_our_own_client_logs_in():
    client = CramMd5(Credentials("tim", "tanstaaftanstaaf"))
    driver = Driver(cram_md5(b"<x@y>"), secret)
    challenge = driver.step(client.initial())
    assert isinstance(challenge, bytes)
    assert driver.step(client.respond(challenge)) == Done("tim")


@pytest.mark.parametrize(
    ("response", "end"),
    [
        (b"tim b913a602c7eda7a495b4e6e7334d3891", Failed(WRONG, "tim")),
        (b"ann b913a602c7eda7a495b4e6e7334d3890", Failed(WRONG, "ann")),
        (b"tim", Failed("the CRAM-MD5 response is malformed")),
        (b" b913a602c7eda7a495b4e6e7334d3890", Failed("the user name is empty")),
        (b"tim " + b"\xff" * 32, Failed(WRONG, "tim")),
    ],
)
def test_what_is_wrong(response, end):
    assert run(cram_md5(CHALLENGE), [None, response], secret) == [CHALLENGE, end]


def test_there_is_no_initial_response():
    assert run(cram_md5(CHALLENGE), [b""], secret) == [Failed("CRAM-MD5 has no initial response")]


@given(st.binary(max_size=60))
def test_whatever_comes_there_is_an_end(response):
    found = run(cram_md5(CHALLENGE), [None, response], secret)
    assert isinstance(found[-1], Failed)
