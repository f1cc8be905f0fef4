"""Our own mechanisms from settings to the end, with our own client."""

from __future__ import annotations

import json

import pytest

from auth.conftest import a_session
from auth.test_tokens import CLAIMS, KEYS, NOW, token
from postroad.auth.builtin import known_mechanisms
from postroad.auth.schemes import make
from postroad.base.clock import TestClock
from postroad.model.sasl import SaslState
from postroad.model.tls import PeerCertificate
from postroad.proto.sasl.client import Credentials, choose

BOUND = {"tls-exporter": b"exported", "tls-server-end-point": b"hashed"}
EVERY = "SCRAM-SHA-256-PLUS SCRAM-SHA-256 SCRAM-SHA-1-PLUS SCRAM-SHA-1 CRAM-MD5 PLAIN LOGIN"
PEER = PeerCertificate("joe", "ca", "AA:BB", "CC:DD", trusted=False)


@pytest.fixture
def users(tmp_path):
    lines = [
        "joe:{PLAIN}secret",
        "scram:" + make("SCRAM-SHA-256", b"secret"),
        "hash:" + make("SHA512-CRYPT", b"secret"),
        "far:{PLAIN}secret::::::allow_nets=198.51.100.0/24",
    ]
    (tmp_path / "users").write_text("\n".join(lines) + "\n")
    return {"smtpd_sasl_type": "postroad", "smtpd_sasl_path": str(tmp_path / "users")}


def bound(kind):
    return BOUND.get(kind, b"")


async def talk(authenticator, mechanism, username, password="secret", *, tls=False):
    """Log in with our own client; return the last step."""
    session = a_session(tls=tls, binding=bound)
    credentials = Credentials(username, password, token="AUTH" in mechanism)
    binding = bound if mechanism.endswith("-PLUS") else None
    client = choose([mechanism], credentials, binding=binding, tls=tls, host="mx", port=587)
    assert not isinstance(client, str), client
    exchange = authenticator.begin(mechanism, session)
    step = await exchange.step(client.initial())
    while step.state is SaslState.MORE:
        step = await exchange.step(client.respond(step.challenge))
    if step.state is SaslState.DONE:
        client.finished()
    return step


@pytest.mark.parametrize("mechanism", EVERY.split())
async def test_every_mechanism(build, users, mechanism):
    authenticator = build(**users, smtpd_sasl_mechanisms=EVERY)
    good = ["joe", *(["scram"] if mechanism.startswith("SCRAM-SHA-256") else [])]
    for username in good:
        step = await talk(authenticator, mechanism, username, tls=True)
        assert (step.state, step.username) == (SaslState.DONE, username)
    for username, password in (("joe", "wrong"), ("nobody", "secret"), ("far", "secret")):
        step = await talk(authenticator, mechanism, username, password, tls=True)
        known = username == "far" and not mechanism.startswith(("PLAIN", "LOGIN"))
        assert step.state is SaslState.FAILED, known
        assert (step.username, step.reason) == (username, "authentication failure")
    await authenticator.close()


async def test_who_has_no_secret_cannot_prove_it(build, users):
    authenticator = build(**users, smtpd_sasl_mechanisms=EVERY)
    assert (await talk(authenticator, "PLAIN", "hash")).state is SaslState.DONE
    for mechanism in ("SCRAM-SHA-256", "CRAM-MD5"):
        assert (await talk(authenticator, mechanism, "hash")).state is SaslState.FAILED
    await authenticator.close()


async def test_the_offer(build, users):
    assert build(**users).mechanisms(tls=False) == ("PLAIN", "LOGIN")
    every = build(**users, smtpd_sasl_mechanisms=EVERY.lower())
    assert every.mechanisms(tls=True) == tuple(EVERY.split())
    assert every.mechanisms(tls=False) == tuple(name for name in EVERY.split() if "PLUS" not in name)
    strict = build(
        **users,
        smtpd_sasl_mechanisms=EVERY,
        smtpd_sasl_security_options="noplaintext noactive",
        smtpd_sasl_tls_security_options="noanonymous",
        smtpd_sasl_mechanism_filter="!scram-sha-1, static:rest",
    )
    assert strict.mechanisms(tls=False) == ("SCRAM-SHA-256",)
    assert "PLAIN" in strict.mechanisms(tls=True)


async def test_a_downgrade_is_seen_only_where_plus_was_offered(build, users):
    first = b"y,,n=joe,r=abc"
    for mechanisms, tls, state in (
        (EVERY, True, SaslState.FAILED),
        (EVERY, False, SaslState.MORE),
        ("SCRAM-SHA-256", True, SaslState.MORE),
    ):
        authenticator = build(**users, smtpd_sasl_mechanisms=mechanisms)
        step = await authenticator.begin("SCRAM-SHA-256", a_session(tls=tls, binding=bound)).step(first)
        assert step.state is state


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "SCRAM-SHA-256", "CRAM-MD5"])
async def test_who_is_shut_out_does_not_learn_what_is_right(build, users, mechanism):
    authenticator = build(**users, smtpd_sasl_mechanisms=EVERY, smtpd_sasl_failure_limit="1")
    for number in range(15):
        authenticator.throttle.failed(f"198.51.100.{number}", "joe")
    session, credentials = a_session("203.0.113.1"), Credentials("joe", "secret")
    client = choose([mechanism], credentials, host="mx", port=587)
    exchange = authenticator.begin(mechanism, session)
    step = await exchange.step(client.initial())
    while step.state is SaslState.MORE:
        assert not step.challenge.startswith(b"v=")
        step = await exchange.step(client.respond(step.challenge))
    assert step.state is SaslState.FAILED
    assert authenticator.inner.passwords.verifier.made == 0
    authenticator.throttle.succeeded("203.0.113.1", "joe")  # has been here before
    assert (await talk(authenticator, mechanism, "joe")).state is SaslState.FAILED
    await authenticator.close()


async def test_a_domain_is_appended(build, tmp_path, users):
    (tmp_path / "users").write_text("joe@example.org:{PLAIN}secret\n")
    authenticator = build(**users, smtpd_sasl_local_domain="Example.ORG")
    for name in ("joe", "Joe@example.org"):
        assert (await talk(authenticator, "PLAIN", name)).username == "joe@example.org"
    await authenticator.close()


@pytest.mark.parametrize("mechanism", ["XOAUTH2", "OAUTHBEARER"])
async def test_tokens(build, users, tmp_path, mechanism):
    (tmp_path / "keys").write_text(KEYS)
    authenticator = build(
        TestClock(NOW),
        **users,
        smtpd_sasl_mechanisms=f"PLAIN {mechanism}",
        smtpd_oauth_keys=str(tmp_path / "keys"),
        smtpd_oauth_issuer=CLAIMS["iss"],
        smtpd_oauth_audience="smtp",
        smtpd_oauth_username_claim="sub",
    )
    good = token(sub="joe")
    step = await talk(authenticator, mechanism, "joe", good, tls=True)
    assert (step.state, step.username) == (SaslState.DONE, "joe")
    for name, word in (("ann", good), ("joe", token()), ("joe", "x.y.z")):
        step = await talk(authenticator, mechanism, name, word, tls=True)
        assert (step.state, step.username) == (SaslState.FAILED, name)
    (tmp_path / "keys").write_text(json.dumps({}))
    authenticator = build(
        **users,
        smtpd_sasl_mechanisms=mechanism,
        smtpd_oauth_keys=str(tmp_path / "keys"),
        smtpd_oauth_issuer="x",
        smtpd_oauth_audience="y",
    )
    assert (await talk(authenticator, mechanism, "joe", good, tls=True)).state is SaslState.UNAVAILABLE


@pytest.mark.parametrize(
    ("peer", "claimed", "state"),
    [
        (PEER, b"", SaslState.DONE),
        (PEER, b"Joe", SaslState.DONE),
        (PEER, b"ann", SaslState.FAILED),
        (PeerCertificate("x", "ca", "00", "cc:dd", trusted=True), b"", SaslState.DONE),
        (PeerCertificate("joe", "ca", "00", "11", trusted=True), b"", SaslState.FAILED),
        (PeerCertificate("joe", "ca", "", "", trusted=True), b"", SaslState.FAILED),
        (None, b"", SaslState.FAILED),
    ],
)
async def test_certificates(build, users, peer, claimed, state):
    authenticator = build(
        **users,
        smtpd_sasl_mechanisms="EXTERNAL",
        smtpd_sasl_mechanism_filter="static:all",
        smtpd_sasl_external_maps="inline:{aa:bb=Joe, cc:dd=joe}",
    )
    assert authenticator.mechanisms(tls=True) == ("EXTERNAL",)
    assert authenticator.mechanisms(tls=False) == ()
    step = await authenticator.begin("EXTERNAL", a_session(tls=True, peer=peer)).step(claimed)
    assert step.state is state
    assert step.username in ("joe", claimed.decode().lower())
    plain = await authenticator.begin("EXTERNAL", a_session()).step(b"joe")
    assert plain.state is SaslState.FAILED


@pytest.mark.parametrize(
    ("names", "has", "why"),
    [
        ((), {}, "is empty"),
        (("NTLM",), {}, "expected some of PLAIN"),
        (("CRAM-MD5",), {"secret": False}, "PAM tells no secrets"),
        (("XOAUTH2",), {"tokens": False}, "smtpd_oauth_keys"),
        (("EXTERNAL",), {"certificates": False}, "smtpd_sasl_external_maps"),
    ],
)
def test_mechanisms_that_could_never_succeed(names, has, why):
    with pytest.raises(ValueError, match=why):
        known_mechanisms(names, **({"secret": True, "tokens": True, "certificates": True} | has))


def test_each_once():
    found = known_mechanisms(("plain", "LOGIN", "Plain"), secret=False, tokens=False, certificates=False)
    assert found == ("PLAIN", "LOGIN")
