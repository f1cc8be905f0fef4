import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.proto.sasl.client_oauth import OauthBearer, Xoauth2
from postroad.proto.sasl.client_values import Credentials
from postroad.proto.sasl.server import WRONG, CheckCertificate, CheckToken, Done, Failed
from postroad.proto.sasl.server_token import external, oauthbearer, xoauth2
from proto.sasl.driving import Driver, run


def judge(wish):
    if isinstance(wish, CheckToken):
        return "joe" if wish.token == "t0ken" and wish.username in ("", "joe") else ""
    assert isinstance(wish, CheckCertificate)
    return "joe" if wish.username in ("", "joe") else ""


XOAUTH = b"user=Joe\1auth=Bearer t0ken\1\1"
OAUTH = b"n,a=joe,\1host=mx\1port=587\1auth=Bearer t0ken\1\1"


@pytest.mark.parametrize(
    ("mechanism", "responses", "found"),
    [
        (xoauth2, [XOAUTH], [Done("joe")]),
        (xoauth2, [None, XOAUTH], [b"", Done("joe")]),
        (
            xoauth2,
            [XOAUTH.replace(b"t0", b"t1"), b""],
            [b'{"status":"401","schemes":"bearer"}', Failed(WRONG, "joe")],
        ),
        (
            xoauth2,
            [XOAUTH.replace(b"Joe", b"ann"), b""],
            [b'{"status":"401","schemes":"bearer"}', Failed(WRONG, "ann")],
        ),
        (xoauth2, [XOAUTH.replace(b"Joe", b"")], [Failed("the user name is empty")]),
        (xoauth2, [XOAUTH[:-1]], [Failed("the XOAUTH2 response is malformed")]),
        (xoauth2, [XOAUTH.replace(b"Bearer", b"Basic")], [Failed("there is no bearer token")]),
        (xoauth2, [XOAUTH.replace(b"t0ken", b"t0 ken")], [Failed("there is no bearer token")]),
        (xoauth2, [b"user=joe\1auth=Bearer a\1auth=Bearer t0ken\1\1"], [Failed("there is no bearer token")]),
        (oauthbearer, [OAUTH], [Done("joe")]),
        (oauthbearer, [None, OAUTH], [b"", Done("joe")]),
        (oauthbearer, [OAUTH.replace(b"a=joe", b"")], [Done("joe")]),
        (oauthbearer, [OAUTH.replace(b"Bearer", b"bearer")], [Done("joe")]),
        (
            oauthbearer,
            [OAUTH.replace(b"t0", b"t1"), b"\1"],
            [b'{"status":"invalid_token"}', Failed(WRONG, "joe")],
        ),
        (
            oauthbearer,
            [OAUTH.replace(b"joe", b"ann"), b"\1"],
            [b'{"status":"invalid_token"}', Failed(WRONG, "ann")],
        ),
        (oauthbearer, [OAUTH.replace(b"n,a", b"p=x,a")], [Failed("the OAUTHBEARER response is malformed")]),
        (oauthbearer, [b""], [Failed("the OAUTHBEARER response is malformed")]),
        (oauthbearer, [b"\xff"], [Failed("the token is not valid")]),
        (oauthbearer, [b"x" * 20000], [Failed("the token is too long")]),
        (external, [b""], [Done("joe")]),
        (external, [None, b""], [b"", Done("joe")]),
        (external, [b"joe"], [Done("joe")]),
        (external, [b"ann"], [Failed(WRONG, "ann")]),
        (external, [b"\0"], [Failed("the user name is not valid")]),
    ],
)
def test_dialogues(mechanism, responses, found):
    assert run(mechanism, responses, judge) == found


@pytest.mark.parametrize("client", ["x", "o"])
@pytest.mark.parametrize("token", ["t0ken", "other"])
def test_our_own_client(client, token):
    credentials = Credentials("joe", token)
    exchange = Xoauth2(credentials) if client == "x" else OauthBearer(credentials, "mx.example", 587)
    driver = Driver(xoauth2 if client == "x" else oauthbearer, judge)
    found = driver.step(exchange.initial())
    while isinstance(found, bytes):
        found = driver.step(exchange.respond(found))
    assert found == (Done("joe") if token == "t0ken" else Failed(WRONG, "joe"))


@given(
    st.sampled_from([xoauth2, oauthbearer, external]),
    st.lists(st.binary(max_size=80), min_size=1, max_size=3),
)
def test_whatever_comes_there_is_an_end_and_no_yes(mechanism, responses):
    found = run(mechanism, responses, lambda wish: "")
    assert all(isinstance(step, bytes | Failed) for step in found)
