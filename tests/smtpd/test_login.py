"""AUTH over a socket: what the client is told, what the log has, and that no secret is in it."""

from __future__ import annotations

import asyncio
import base64

import pytest

from patience import until
from postroad.model.sasl import SaslState, SaslStep

from .conftest import Peer
from .tlspeer import TlsPeer, ended

HERE = "unknown[127.0.0.1]"
MAY = {"smtpd_tls_security_level": "may"}


def b64(text):
    return base64.b64encode(text.encode()).decode()


class FakeExchange:
    def __init__(self, owner, mechanism, session):
        self.owner, self.mechanism, self.session = owner, mechanism, session
        self.seen = []
        self.cancelled = 0

    async def step(self, response):
        if self.owner.gate is not None:
            await self.owner.gate
        if self.owner.error is not None:
            raise self.owner.error
        if response is not None:
            self.seen.append(response)
        if self.mechanism == "LOGIN" and len(self.seen) < 2:
            return SaslStep(SaslState.MORE, b"Password:" if self.seen else b"Username:")
        if self.mechanism == "PLAIN" and not self.seen:
            return SaslStep(SaslState.MORE)
        _, user, password = self.seen[0].split(b"\0") if self.mechanism == "PLAIN" else (b"", *self.seen)
        name = user.decode()
        if self.owner.down:
            return SaslStep(SaslState.UNAVAILABLE, username=name, reason="open /etc/users: No such file")
        if self.owner.users.get(name) == password.decode():
            return SaslStep(SaslState.DONE, username=name)
        return SaslStep(SaslState.FAILED, username=name, reason=self.owner.reason)

    def cancel(self):
        self.cancelled += 1


class FakeAuthenticator:
    """Knows alice."""

    def __init__(self):
        self.users = {"alice": "s3cret-w0rd"}
        self.offer = {True: ("PLAIN", "LOGIN"), False: ("PLAIN", "LOGIN")}
        self.exchanges = []
        self.down = False
        self.reason = ""
        self.gate = self.error = None
        self.closed = 0

    def mechanisms(self, *, tls):
        return self.offer[tls]

    def begin(self, mechanism, session):
        self.exchanges.append(FakeExchange(self, mechanism, session))
        return self.exchanges[-1]

    async def close(self):
        self.closed += 1


GOOD = "AUTH PLAIN " + b64("\0alice\0s3cret-w0rd")
WRONG = "AUTH PLAIN " + b64("\0alice\0n0t-it")


@pytest.fixture
def users():
    return FakeAuthenticator()


async def greeted(port):
    peer = await TlsPeer.connect(port)
    await peer.reply()
    assert "250-AUTH PLAIN LOGIN" in await peer.ask("EHLO x")
    return peer


async def test_who_has_logged_in_is_named_with_the_message(stand, users):
    peer = await greeted(await stand.serve(authenticator=users))
    assert await peer.ask("AUTH LOGIN") == "334 VXNlcm5hbWU6"
    assert await peer.ask(b64("alice")) == "334 UGFzc3dvcmQ6"
    assert await peer.ask(b64("s3cret-w0rd")) == "235 2.7.0 Authentication successful"
    await peer.ask("MAIL FROM:<a@example.net> AUTH=<c@example.net>", "RCPT TO:<b@example.test>")
    session = stand.intake.receivers[0].session
    assert (session.sasl_username, session.sasl_method) == ("alice", "LOGIN")
    who = "sasl_method=LOGIN, sasl_username=alice, sasl_sender=<c@example.net>"
    assert stand.log[-1] == f"smtpd: 0000000000000AB: client={HERE}, {who}"
    await peer.ask("RSET", "MAIL FROM:<a@example.net>", "RCPT TO:<b@example.test>")
    who = "sasl_method=LOGIN, sasl_username=alice"
    assert stand.log[-1] == f"smtpd: 0000000000000AB: client={HERE}, {who}"
    await peer.ask("QUIT")
    await ended(stand)
    assert " auth=1 " in stand.log[-1]
    await peer.close()


async def test_a_failure_is_logged_with_the_name_and_never_the_secret(stand, users):
    peer = await greeted(await stand.serve(authenticator=users))
    assert await peer.ask(WRONG) == "535 5.7.8 Error: authentication failed: (reason unavailable)"
    users.reason = "Because I say so"
    assert await peer.ask(WRONG) == "535 5.7.8 Error: authentication failed: Because I say so"
    await peer.ask("AUTH FOO", "AUTH PLAIN s3cret-w0rd", "AUTH LOGIN", "*", "AUTH LOGIN", "s3cret-w0rd!")
    await peer.ask("AUTH PLAIN " + b64("\0a\nb\0x"), GOOD, "QUIT")
    await ended(stand)
    said = [line.partition(f"smtpd: warning: {HERE}: SASL ")[2] for line in stand.log[1:-1]]
    assert said == [
        "PLAIN authentication failed: (reason unavailable), sasl_username=alice",
        "PLAIN authentication failed: Because I say so, sasl_username=alice",
        "FOO authentication failed: Invalid authentication mechanism, sasl_username=(unavailable)",
        "PLAIN authentication failed: Invalid base64 data in initial response, sasl_username=(unavailable)",
        "LOGIN authentication aborted",
        "LOGIN authentication failed: Invalid base64 data in continued response, sasl_username=(unavailable)",
        "PLAIN authentication failed: Because I say so, sasl_username=a?b",
    ]
    whole = "\n".join(stand.log)
    for secret in ("s3cret", "n0t-it", b64("\0alice\0s3cret-w0rd"), b64("\0alice\0n0t-it")):
        assert secret not in whole
    assert " auth=1/8 " in stand.log[-1]
    assert [each.cancelled for each in users.exchanges] == [0, 0, 1, 1, 0, 0]
    await peer.close()


async def test_nobody_is_refused_for_good_while_nobody_can_look(stand, users):
    peer = await greeted(await stand.serve(authenticator=users))
    users.down = True
    answer = await peer.ask(WRONG)
    assert answer == "454 4.7.0 Temporary authentication failure: (reason unavailable)"  # no names of files
    assert "open /etc/users: No such file, sasl_username=alice" in stand.log[-1]
    users.error = RuntimeError("broken")
    assert (await peer.ask(GOOD)).startswith("454 4.7.0")
    assert "RuntimeError" in stand.log[-1]
    assert users.exchanges[-1].cancelled == 1
    users.error, users.down = None, False
    assert (await peer.ask(GOOD)).startswith("235")
    await peer.close()


async def test_a_long_user_name_is_cut_in_the_log(stand, users):
    peer = await greeted(await stand.serve(authenticator=users))
    await peer.ask("AUTH PLAIN " + b64(f"\0{'a' * 1000}\0x"))
    assert stand.log[-1].endswith("sasl_username=" + "a" * 256)
    await peer.close()


async def test_a_look_that_takes_time_delays_what_follows(stand, users):
    peer = await greeted(await stand.serve(authenticator=users))
    users.gate = asyncio.get_running_loop().create_future()
    await peer.send(GOOD + "\r\nNOOP\r\n")
    await until(lambda: users.exchanges)
    gate, users.gate = users.gate, None
    gate.set_result(None)
    assert [await peer.reply(), await peer.reply()] == [
        "235 2.7.0 Authentication successful",
        "250 2.0.0 Ok",
    ]
    await peer.close()


async def test_a_client_that_leaves_cancels_what_is_under_way(stand, users):
    port = await stand.serve(authenticator=users)
    waiting, asked = await greeted(port), await greeted(port)
    await asked.ask("AUTH LOGIN")
    users.gate = asyncio.get_running_loop().create_future()
    await waiting.send(GOOD + "\r\n")
    await until(lambda: len(users.exchanges) == 2)
    for peer in (waiting, asked):
        peer.reset()
    await until(lambda: [each.cancelled for each in users.exchanges] == [1, 1])
    users.gate.set_result(None)
    await ended(stand)
    assert f"smtpd: lost connection after AUTH from {HERE}" in stand.log


async def test_before_tls_there_is_no_auth_where_it_is_for_tls_only(stand, pair, users):
    port = await stand.serve(pair=pair, authenticator=users, smtpd_tls_auth_only="yes", **MAY)
    peer = await TlsPeer.connect(port)
    await peer.reply()
    assert "AUTH" not in await peer.ask("EHLO x")
    assert await peer.ask(GOOD) == "503 5.5.1 Error: authentication not enabled"
    assert users.exchanges == []
    await peer.starttls()
    assert "250-AUTH PLAIN LOGIN" in await peer.ask("EHLO x")
    assert (await peer.ask(GOOD)).startswith("235")
    assert users.exchanges[0].session.tls_facts is not None
    await peer.close()


async def test_what_is_offered_depends_on_tls(stand, pair, users):
    users.offer[False] = ("SCRAM-SHA-256",)
    peer = await TlsPeer.connect(await stand.serve(pair=pair, authenticator=users, **MAY))
    await peer.reply()
    assert "250-AUTH SCRAM-SHA-256\n" in await peer.ask("EHLO x")
    assert await peer.ask(GOOD) == "535 5.7.8 Error: authentication failed: Invalid authentication mechanism"
    await peer.starttls()
    assert "250-AUTH PLAIN LOGIN" in await peer.ask("EHLO x")
    await peer.close()


async def test_a_login_in_plain_text_is_forgotten_with_starttls(stand, pair, users):
    peer = await greeted(await stand.serve(pair=pair, authenticator=users, **MAY))
    await peer.ask(GOOD)
    await peer.starttls()
    await peer.ask("EHLO x", "MAIL FROM:<a@example.net>", "RCPT TO:<b@example.test>")
    assert stand.log[-1] == f"smtpd: 0000000000000AB: client={HERE}"
    assert stand.intake.receivers[-1].session.sasl_username == ""
    await peer.close()


async def test_clients_that_cannot_cope_with_the_offer_are_not_told(stand, users):
    port = await stand.serve(
        authenticator=users, smtpd_sasl_exceptions_networks="127.0.0.0/8", broken_sasl_auth_clients="yes"
    )
    peer = await Peer.connect(port)
    await peer.reply()
    assert "AUTH" not in await peer.ask("EHLO x")
    assert (await peer.ask(GOOD)).startswith("235")
    await peer.close()


async def test_the_offer_is_made_twice_for_old_clients(stand, users):
    peer = await greeted(await stand.serve(authenticator=users, broken_sasl_auth_clients="yes"))
    assert "250-AUTH PLAIN LOGIN\n250-AUTH=PLAIN LOGIN\n" in await peer.ask("EHLO x")
    await peer.close()


async def test_a_response_has_the_limit_that_is_set(stand, users):
    peer = await greeted(await stand.serve(authenticator=users, smtpd_sasl_response_limit="100"))
    await peer.ask("AUTH LOGIN")
    assert await peer.ask("A" * 101) == "500 5.5.6 SASL response limit exceeded"
    assert stand.log[-1].startswith(f"smtpd: warning: {HERE}: request longer than 100: (not shown")
    await peer.close()


async def test_too_many_commands_are_refused_for_a_time(stand, users):
    port = await stand.serve(authenticator=users, smtpd_client_auth_rate_limit="2", name="587")
    peer = await greeted(port)
    await peer.ask(WRONG, WRONG)
    assert await peer.ask(GOOD) == "450 4.7.1 Error: too many AUTH commands from 127.0.0.1"
    assert stand.log[-1] == f"smtpd: warning: AUTH command rate limit exceeded: 3 from {HERE} for service 587"
    assert len(users.exchanges) == 2
    await peer.close()


async def test_commands_that_cannot_be_used_count_as_well(stand, users):
    peer = await greeted(await stand.serve(authenticator=users, smtpd_client_auth_rate_limit="3"))
    for useless in ("AUTH", "AUTH NOTHING", "AUTH PLAIN !"):
        assert (await peer.ask(useless))[:1] == "5"
    assert (await peer.ask(GOOD)).startswith("450 4.7.1 Error: too many AUTH commands")
    assert users.exchanges == []
    await peer.close()


async def test_but_not_to_those_whom_the_exceptions_name(stand, users):
    texts = {"smtpd_client_auth_rate_limit": "1", "smtpd_client_event_limit_exceptions": "127.0.0.1"}
    peer = await greeted(await stand.serve(authenticator=users, **texts))
    assert (await peer.ask(WRONG, WRONG, GOOD)).startswith("235")
    await peer.close()


async def test_the_authenticator_is_closed_with_the_last_session(stand, users):
    peer = await greeted(await stand.serve(authenticator=users))
    stand.service.retire()
    assert (await peer.ask(GOOD)).startswith("235")
    assert users.closed == 0
    await peer.ask("QUIT")
    await until(lambda: users.closed)
    await stand.service.drain(0)
    assert users.closed == 1
    await peer.close()


async def test_without_an_authenticator_there_is_no_auth(stand):
    peer = await Peer.connect(await stand.serve())
    await peer.reply()
    assert "AUTH" not in await peer.ask("EHLO x")
    assert await peer.ask("AUTH PLAIN") == "503 5.5.1 Error: authentication not enabled"
    await peer.close()
