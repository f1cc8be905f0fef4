"""A whole server with a users file of its own: ``postroad user`` beside it, clients of three sorts before it."""

from __future__ import annotations

import hashlib
import smtplib
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from peers.certificates import Authority
from peers.harness import Postroad, a_place, message, until
from postroad.proto.sasl.client import Credentials, choose

pytestmark = pytest.mark.peer

MAIN = """
smtpd_tls_security_level = may
smtpd_tls_cert_file = {etc}/server.pem
smtpd_tls_key_file = {etc}/server.key
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = postroad
smtpd_sasl_path = {etc}/users
smtpd_sasl_mechanisms = SCRAM-SHA-256-PLUS SCRAM-SHA-256 PLAIN LOGIN
smtpd_sasl_failure_limit = 0
mynetworks = 192.0.2.1
smtpd_relay_restrictions = permit_sasl_authenticated, reject
"""


@pytest.fixture(scope="module")
def server() -> Iterator[Postroad]:
    with a_place() as place:
        made = Postroad(place, main=MAIN)
        Authority().issue("localhost").write(made.etc, "server")
        with made:
            add(made, "ann", "pässword", "SCRAM-SHA-256")
            add(made, "joe@example.test", "secret", "ARGON2ID")
            until(lambda: tried(made, "joe@example.test", "secret") == 235, 30, made.log)
            yield made


def add(server: Postroad, name: str, password: str, scheme: str) -> None:
    done = server.run("user", "add", name, "--scheme", scheme, "--password-stdin", stdin=f"{password}\n")
    assert (done.returncode, done.stderr) == (0, "")


def tried(server: Postroad, name: str, password: str) -> int:
    with smtplib.SMTP(server.host, server.port, timeout=30) as client:
        client.ehlo("client.test")
        client.user, client.password = name, password
        try:
            return client.auth("PLAIN", lambda _challenge=None: f"\0{name}\0{password}")[0]
        except smtplib.SMTPAuthenticationError as error:
            return error.smtp_code


def test_a_login_lets_mail_out(server: Postroad) -> None:
    with smtplib.SMTP(server.host, server.port, timeout=30) as client:
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            client.sendmail("x@example.test", ["alice@example.test"], message())
        client.rset()
        client.login("joe@example.test", "secret")
        client.sendmail("joe@example.test", ["alice@example.test"], message())
    server.wait_log(r"client=\S+, sasl_method=(PLAIN|LOGIN), sasl_username=joe@example\.test")
    server.wait_mail("alice")


def test_failures(server: Postroad) -> None:
    assert tried(server, "joe@example.test", "wrong-pa55") == 535
    assert tried(server, "nobody", "wrong-pa55") == 535
    assert tried(server, "joe@example.test", "secret") == 235
    server.wait_log(
        r"warning: \S+: SASL PLAIN authentication failed: authentication failure, sasl_username=nobody"
    )
    for kept in (server.log(), server.output()):
        assert "wrong-pa55" not in kept


def test_a_change_needs_no_reload(server: Postroad) -> None:
    add(server, "tom", "one", "PLAIN")
    until(lambda: tried(server, "tom", "one") == 235, 30, server.log)
    assert server.run("user", "lock", "tom").returncode == 0
    until(lambda: tried(server, "tom", "one") == 535, 30, server.log)
    users = server.etc / "users"
    kept = users.rename(server.etc / "away")
    until(lambda: tried(server, "joe@example.test", "secret") == 454, 30, server.log)
    kept.rename(users)
    until(lambda: tried(server, "joe@example.test", "secret") == 235, 30, server.log)


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"])
def test_scram_and_the_channel(server: Postroad, mechanism: str) -> None:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE

    def login(password: str, other: bytes = b"") -> int:
        with smtplib.SMTP(server.host, server.port, timeout=30) as client:
            client.starttls(context=context)
            client.ehlo("client.test")
            assert mechanism in client.esmtp_features["auth"].split()
            digest = hashlib.sha256(client.sock.getpeercert(binary_form=True) + other).digest()

            def binding(kind: str) -> bytes:
                return digest if kind == "tls-server-end-point" and mechanism.endswith("PLUS") else b""

            made = choose(
                [mechanism], Credentials("ann", password), binding=binding, tls=True, host="mx", port=25
            )
            assert not isinstance(made, str)

            def respond(challenge: bytes | None = None) -> str:
                said = made.initial() if challenge is None else made.respond(challenge)
                return "" if said is None else said.decode()

            try:
                code = binary_auth(client, mechanism, respond)
            except smtplib.SMTPAuthenticationError as error:
                return error.smtp_code
            made.finished()
            return code

    assert login("pässword") == 235
    assert login("password") == 535
    if mechanism.endswith("PLUS"):
        assert login("pässword", b"another certificate") == 535


def binary_auth(client: smtplib.SMTP, mechanism: str, respond) -> int:
    """Do what smtplib's auth does; that one gives challenges as text and knows at most five."""
    from base64 import b64decode, b64encode

    code, said = client.docmd("AUTH", f"{mechanism} {b64encode(respond().encode()).decode()}")
    while code == 334:
        code, said = client.docmd(b64encode(respond(b64decode(said)).encode()).decode())
    if code not in (235, 503):
        raise smtplib.SMTPAuthenticationError(code, said)
    return code


def test_the_file_is_not_for_everybody(server: Postroad) -> None:
    path: Path = server.etc / "users"
    assert path.stat().st_mode & 0o007 == 0
    assert "users" not in server.run("check").stdout
