from __future__ import annotations

import pytest

from .conftest import Peer

NOBODY = {"smtpd_client_event_limit_exceptions": ""}


async def test_sessions_have_a_limit_in_time(stand):
    port = await stand.serve(smtpd_client_connection_rate_limit="2")
    said = []
    for _ in range(3):
        peer = await Peer.connect(port)
        said.append(await peer.reply())
        await peer.close()
    assert [each[:3] for each in said] == ["220", "220", "421"]
    assert said[-1] == "421 4.7.0 mx.example.test Error: too many connections from 127.0.0.1"
    warning = "warning: Connection rate limit exceeded: 3 from unknown[127.0.0.1] for service smtp"
    assert any(warning in line for line in stand.log)


async def test_messages_and_recipients_have_limits_in_time(stand):
    port = await stand.serve(smtpd_client_message_rate_limit="2", smtpd_client_recipient_rate_limit="3")
    for _ in range(2):  # it is the client that is counted, not the session
        peer = await Peer.connect(port)
        await peer.reply()
        await peer.ask("EHLO x")
        assert (await peer.ask("MAIL FROM:<a@example.net>")).startswith("250")
        said = [await peer.ask("RCPT TO:<b@example.test>") for _ in range(2)]
        last = peer
    assert said == ["250 2.1.5 Ok", "450 4.7.1 Error: too many recipients from 127.0.0.1"]
    assert await last.ask("RSET", "MAIL FROM:<a@example.net>") == (
        "450 4.7.1 Error: too much mail from 127.0.0.1"
    )
    log = "\n".join(stand.log)
    assert "warning: Recipient address rate limit exceeded: 4 from unknown[127.0.0.1] for service smtp" in log
    assert (
        "warning: Message delivery request rate limit exceeded: 3 from unknown[127.0.0.1] for service smtp"
        in log
    )


async def test_vrfy_counts_as_a_recipient(stand):
    peer = await Peer.connect(await stand.serve(smtpd_client_recipient_rate_limit="1"))
    await peer.reply()
    assert await peer.ask("VRFY b@example.test") == "252 2.0.0 b@example.test"
    assert await peer.ask("VRFY b@example.test") == "450 4.7.1 Error: too many recipients from 127.0.0.1"
    await peer.close()


@pytest.mark.parametrize("who", ["smtpd_client_event_limit_exceptions", "smtpd_authorized_xclient_hosts"])
async def test_some_clients_are_not_counted(stand, who):
    one = dict.fromkeys(("connection", "message", "recipient"), "1")
    limits = {f"smtpd_client_{what}_rate_limit": most for what, most in one.items()}
    port = await stand.serve(**limits, **{who: "127.0.0.0/8"})
    for _ in range(2):
        peer = await Peer.connect(port)
        await peer.reply()
        assert await peer.ask("MAIL FROM:<a@example.net>", "RCPT TO:<b@example.test>") == "250 2.1.5 Ok"
        await peer.close()
