"""SCRAM by the examples of its specifications, with two clients, and with liars."""

from __future__ import annotations

import base64

import pytest
import scramp
from hypothesis import given
from hypothesis import strategies as st

from postroad.auth.schemes import derive_scram
from postroad.proto.sasl.client_scram import Scram
from postroad.proto.sasl.client_values import Credentials
from postroad.proto.sasl.server import WRONG, Done, Failed, FindSecret
from postroad.proto.sasl.server_scram import HASHES, scram
from proto.sasl.driving import Driver, run

SALT = base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")
FIRST = b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
NONCE = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
FINAL = (
    b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
    b"p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
)
BINDINGS = {"tls-exporter": b"exported", "tls-server-end-point": b"hash of a certificate"}


def keys(wish):
    assert isinstance(wish, FindSecret)
    password = b"pencil" if wish.username in ("user", "a,b=c") else b"nobody's"
    return derive_scram(wish.scheme, password, SALT, 4096)


def binding(kind):
    return BINDINGS.get(kind, b"")


def test_the_example_of_rfc_7677():
    found = run(scram("SCRAM-SHA-256", NONCE), [FIRST, FINAL, b""], keys)
    assert found == [
        b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
        b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
        Done("user"),
    ]


def test_the_example_of_rfc_5802():
    salt = base64.b64decode("QSXCR+Q6sek8bf92")
    found = run(
        scram("SCRAM-SHA-1", "3rfcNHYJY1ZVvWVs7j"),
        [
            None,
            b"n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
            b"c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
            b"",
        ],
        lambda wish: derive_scram(wish.scheme, b"pencil", salt, 4096),
    )
    assert found[2:] == [b"v=rmF9pqV8S7suAoZWja4dJRkFsKQ=", Done("user")]


@pytest.mark.parametrize("name", [*HASHES, "SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS"])
@pytest.mark.parametrize("kind", BINDINGS)
def test_our_own_client(name, kind):
    bound = {"binding": (kind, BINDINGS[kind])} if name.endswith("-PLUS") else {}
    client = Scram(name, Credentials("user", "pencil"), "client", **bound)
    driver = Driver(scram(name, "server", binding=binding, bound_offered=bool(bound)), keys)
    found = driver.step(client.initial())
    while isinstance(found, bytes):
        found = driver.step(client.respond(found))
    client.finished()
    assert found == Done("user")


@pytest.mark.parametrize("name", HASHES)
def test_the_client_of_scramp(name):
    client = scramp.ScramClient([name], "user", "pencil")
    driver = Driver(scram(name, "servernonceservernonce"), keys)
    first = driver.step(client.get_client_first().encode())
    assert isinstance(first, bytes)
    client.set_server_first(first.decode())
    final = driver.step(client.get_client_final().encode())
    assert isinstance(final, bytes)
    client.set_server_final(final.decode())
    assert driver.step(b"") == Done("user")


def test_names_are_unescaped_and_an_authorization_identity_may_be_ones_own():
    driver = Driver(scram("SCRAM-SHA-256", "x"), keys)
    assert isinstance(driver.step(b"n,a=A=2Cb=3Dc,n=a=2Cb=3Dc,r=abc"), bytes)
    assert driver.asked == [FindSecret("a,b=c", "SCRAM-SHA-256")]


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        (b"n,a=root,n=user,r=abc", "the authorization identity is another's"),
        (b"n,,m=x,n=user,r=abc", "a SCRAM extension that is not supported"),
        (b"n,,n=u=ser,r=abc", "the SCRAM response is malformed"),
        (b"n,,n=,r=abc", "the user name is empty"),
        (b"n,,n=user,r=", "the SCRAM response is malformed"),
        (b"n,,n=user", "the SCRAM response is malformed"),
        (b"x,,n=user,r=abc", "the SCRAM response is malformed"),
        (b"\xff", "the SCRAM response is malformed"),
        (b"", "the SCRAM response is malformed"),
        (b"n,,n=user,r=" + b"x" * 5000, "the SCRAM response is too long"),
        (b"p=tls-exporter,,n=user,r=abc", "a channel binding is wanted by one end only"),
    ],
)
def test_first_messages_that_are_none(response, reason):
    (end,) = run(scram("SCRAM-SHA-256", "x", binding=binding), [response], keys)
    assert isinstance(end, Failed)
    assert end.reason == reason


@pytest.mark.parametrize(
    "final",
    [
        FINAL.replace(b"p=d", b"p=e"),
        FINAL.replace(b"p=dHz", b"p=AA=="),
        FINAL.replace(b"p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=", b"p=AAAA"),
        FINAL.replace(b"r=rO", b"r=xO"),
        FINAL.replace(b"biws", b"eSws"),
        FINAL.replace(b",p=", b",x=y,p="),
        FINAL.replace(b",p=", b",q="),
        b"",
    ],
)
def test_final_messages_that_prove_nothing(final):
    found = run(scram("SCRAM-SHA-256", NONCE), [FIRST, final], keys)
    assert isinstance(found[-1], Failed)


def test_a_wrong_password_and_a_wrong_user_are_told_alike():
    for user, password in (("user", "wrong"), ("other", "pencil")):
        client = Scram("SCRAM-SHA-256", Credentials(user, password), "client")
        driver = Driver(scram("SCRAM-SHA-256", "server"), keys)
        first = driver.step(client.initial())
        assert driver.step(client.respond(first)) == Failed(WRONG, user)


@pytest.mark.parametrize(
    ("first", "reason"),
    [
        (b"n,,n=user,r=abc", "a channel binding is wanted by one end only"),
        (b"y,,n=user,r=abc", "a channel binding is wanted by one end only"),
        (b"p=tls-unique,,n=user,r=abc", "a channel binding type that is not supported"),
    ],
)
def test_plus_demands_a_binding(first, reason):
    assert run(scram("SCRAM-SHA-256-PLUS", "x", binding=binding), [first], keys) == [Failed(reason)]


def test_a_binding_of_another_channel_does_not_fit():
    client = Scram(
        "SCRAM-SHA-256-PLUS", Credentials("user", "pencil"), "c", binding=("tls-exporter", b"mitm")
    )
    driver = Driver(scram("SCRAM-SHA-256-PLUS", "s", binding=binding), keys)
    first = driver.step(client.initial())
    assert driver.step(client.respond(first)) == Failed(
        "the channel binding or the nonce does not fit", "user"
    )


def test_a_downgrade_is_seen():
    reason = "the client did not see that channel binding was offered"
    first = b"y,,n=user,r=abc"
    assert run(scram("SCRAM-SHA-256", "x", bound_offered=True), [first], keys) == [Failed(reason)]
    assert isinstance(run(scram("SCRAM-SHA-256", "x"), [first], keys)[0], bytes)
    assert isinstance(
        run(scram("SCRAM-SHA-256", "x", bound_offered=True), [b"n" + first[1:]], keys)[0], bytes
    )


PIECES = st.sampled_from(
    [
        b"n,,",
        b"y,,",
        b"p=tls-exporter,,",
        b"n=user,",
        b"r=abc",
        b"r=abcx,",
        b"c=biws,",
        b"p=AAAA",
        b"m=",
        b"=",
        b",",
    ]
)


@given(st.lists(st.binary(max_size=30) | st.lists(PIECES, max_size=6).map(b"".join), min_size=1, max_size=3))
def test_whatever_comes_there_is_an_end_and_no_yes(responses):
    for name in ("SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"):
        found = run(scram(name, "x", binding=binding), responses, keys)
        assert all(isinstance(step, bytes | Failed) for step in found)
        assert not any(isinstance(step, bytes) and step.startswith(b"v=") for step in found)
