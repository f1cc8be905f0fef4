"""Which mechanism is taken, and the words when none can be."""

from __future__ import annotations

import pytest

from postroad.proto.sasl.client import MECHANISMS, NO_MECHANISM, OPTIONS, Credentials, allowed, choose

BOB = Credentials("bob", "secret")
TOKEN = Credentials("bob", "t0ken", token=True)
ALL = tuple(reversed(MECHANISMS))


def name_of(offered, credentials=BOB, **rest):
    chosen = choose(offered, credentials, **rest)
    return chosen if isinstance(chosen, str) else chosen.name


def binding(kind):
    return b"data" if kind == "tls-exporter" else b""


@pytest.mark.parametrize(
    ("offered", "expected"),
    [
        (["PLAIN", "LOGIN"], "PLAIN"),
        (["LOGIN", "CRAM-MD5", "PLAIN"], "CRAM-MD5"),
        (["CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256"], "SCRAM-SHA-256"),
        (["scram-sha-1", "plain"], "SCRAM-SHA-1"),
        (["GSSAPI", "DIGEST-MD5", "NTLM"], NO_MECHANISM),
        (["SCRAM-SHA-256-PLUS"], NO_MECHANISM),  # nothing to bind to
        ([], NO_MECHANISM),
    ],
)
def test_the_strongest_wins_whatever_the_servers_order(offered, expected):
    assert name_of(offered) == expected


def test_a_bound_mechanism_wins_where_there_is_a_channel():
    assert name_of(ALL, tls=True, binding=binding) == "SCRAM-SHA-256-PLUS"
    assert name_of(ALL, tls=True, binding=lambda _: b"") == "SCRAM-SHA-256"
    assert name_of(ALL, tls=True) == "SCRAM-SHA-256"
    assert name_of(ALL, tls=False, binding=binding) == "SCRAM-SHA-256"


def test_the_exporter_comes_before_the_certificates_digest():
    first = choose(["SCRAM-SHA-256-PLUS"], BOB, tls=True, binding=lambda kind: kind.encode()).initial()
    assert first.startswith(b"p=tls-exporter,")
    older = choose(
        ["SCRAM-SHA-256-PLUS"], BOB, tls=True, binding=lambda kind: b"x" * kind.startswith("tls-server")
    ).initial()
    assert older.startswith(b"p=tls-server-end-point,")


@pytest.mark.parametrize(
    ("offered", "flag"),
    [(["SCRAM-SHA-256"], b"y,,"), (["SCRAM-SHA-256", "SCRAM-SHA-1-PLUS"], b"n,,")],
)
def test_a_list_without_bound_mechanisms_is_told_to_the_server(offered, flag):
    chosen = choose(offered, BOB, tls=True, binding=binding, matches=lambda name: not name.endswith("-PLUS"))
    assert chosen.initial().startswith(flag)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ((), {"SCRAM-SHA-256", "SCRAM-SHA-1", "CRAM-MD5", "PLAIN", "LOGIN"}),
        (("noplaintext", "noanonymous"), {"SCRAM-SHA-256", "SCRAM-SHA-1", "CRAM-MD5"}),
        (("noactive",), {"SCRAM-SHA-256", "SCRAM-SHA-1"}),
        (("mutual_auth",), {"SCRAM-SHA-256", "SCRAM-SHA-1"}),
        (("nodictionary",), set()),
    ],
)
def test_security_options_leave_out_weaker_mechanisms(options, expected):
    assert {name for name in MECHANISMS if name_of([name], options=options) == name} == expected
    assert OPTIONS.issuperset(options)


def test_a_token_is_for_mechanisms_that_take_one_and_only_over_tls():
    assert name_of(ALL, TOKEN, tls=True) == "OAUTHBEARER"
    assert name_of(["XOAUTH2", "PLAIN"], TOKEN, tls=True) == "XOAUTH2"
    assert name_of(ALL, TOKEN, tls=False) == NO_MECHANISM
    assert name_of(["PLAIN", "SCRAM-SHA-256"], TOKEN, tls=True) == NO_MECHANISM
    assert name_of(["OAUTHBEARER", "XOAUTH2"], BOB, tls=True) == NO_MECHANISM


def test_oauthbearer_names_the_server():
    chosen = choose(["OAUTHBEARER"], TOKEN, tls=True, host="mx.example", port=587)
    assert b"\x01host=mx.example\x01port=587\x01" in chosen.initial()


def test_external_is_for_those_without_a_password():
    nobody = Credentials("bob", "")
    assert name_of(["EXTERNAL", "PLAIN"], nobody, tls=True) == "EXTERNAL"
    assert name_of(["EXTERNAL"], nobody, tls=False) == NO_MECHANISM
    assert name_of(["EXTERNAL", "PLAIN"], BOB, tls=True) == "PLAIN"
    assert name_of(["PLAIN"], nobody) == "PLAIN"  # as Postfix does


def test_a_separator_in_a_secret_reaches_no_mechanism():
    for credentials in (Credentials("b\0b", "x"), Credentials("bob", "x\0y"), Credentials("bob", "x", "\0")):
        assert "NUL" in name_of(ALL, credentials, tls=True)
    assert name_of(["XOAUTH2"], Credentials("a\x01b", "t", token=True), tls=True) == NO_MECHANISM


def test_the_filter_is_asked_only_for_what_this_client_has():
    asked = []
    assert allowed(
        ["plain", "PLAIN", "GSSAPI", "LOGIN"], lambda name: asked.append(name) or name != "LOGIN"
    ) == ["PLAIN"]
    assert asked == ["PLAIN", "LOGIN"]
    assert name_of(["SCRAM-SHA-256", "PLAIN"], matches=lambda name: name == "PLAIN") == "PLAIN"


def test_no_nonce_comes_twice():
    nonces = {choose(["SCRAM-SHA-1"], BOB).initial().rpartition(b"r=")[2] for _ in range(20)}
    assert len(nonces) == 20
    assert min(map(len, nonces)) >= 32
