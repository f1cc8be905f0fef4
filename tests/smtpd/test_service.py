from __future__ import annotations

import asyncio
import os

import pytest

from postroad.base.errors import TableUnavailable
from postroad.model.reply import Reply
from postroad.proto.options import BareNewline

from .conftest import Peer, eventually


async def test_a_client_with_too_many_sessions_is_told_to_come_later(stand):
    port = await stand.serve(smtpd_client_connection_count_limit="1", name="25")
    first, second = await Peer.connect(port), await Peer.connect(port)
    assert (await first.reply()).startswith("220")
    answer = await second.reply()
    assert answer == "421 4.7.0 mx.example.test Error: too many connections from 127.0.0.1"
    assert await second.reply() == "(closed)"
    warning = "warning: Connection concurrency limit exceeded: 2 from unknown[127.0.0.1] for service 25"
    assert f"smtpd: {warning}" in stand.log
    await first.ask("QUIT")
    await eventually(lambda: not stand.service.sessions)
    third = await Peer.connect(port)
    assert (await third.reply()).startswith("220")
    for peer in (first, second, third):
        await peer.close()


async def test_excepted_clients_are_not_counted(stand):
    port = await stand.serve(
        smtpd_client_connection_count_limit="1", smtpd_client_event_limit_exceptions="127.0.0.0/8"
    )
    peers = [await Peer.connect(port) for _ in range(3)]
    for peer in peers:
        assert (await peer.reply()).startswith("220")
        await peer.close()


async def test_clients_over_the_services_limit_wait_in_silence(stand):
    told = []
    stand.make(limit=1, on_full=told.append)
    port = await stand.serve()
    first, second = await Peer.connect(port), await Peer.connect(port)
    assert (await first.reply()).startswith("220")
    await eventually(lambda: stand.service.sessions == 2)
    assert told == [True]
    await second.send("NOOP\r\n")
    assert [line for line in stand.log if "master" not in line] == ["smtpd: connect from unknown[127.0.0.1]"]
    await first.ask("QUIT")
    assert (await second.reply()).startswith("220")
    assert await second.reply() == "250 2.0.0 Ok"
    assert told == [True, False]
    for peer in (first, second):
        await peer.close()


async def test_keywords_are_taken_away_by_client(stand):
    port = await stand.serve(
        smtpd_discard_ehlo_keywords="dsn",
        smtpd_discard_ehlo_keyword_address_maps="inline:{127.0.0.1=chunking}",
    )
    peer = await Peer.connect(port)
    await peer.reply()
    answer = await peer.ask("EHLO x")
    assert "DSN" in answer
    assert "CHUNKING" not in answer
    assert "smtpd: discarding EHLO keywords: CHUNKING" in stand.log
    await peer.close()


async def test_a_table_that_cannot_be_asked_ends_the_session_for_now(stand):
    port = await stand.serve(smtpd_discard_ehlo_keyword_address_maps="fail:keywords")
    peer = await Peer.connect(port)
    assert await peer.reply() == "421 4.3.0 mx.example.test Server local data error"
    assert await peer.reply() == "(closed)"
    await peer.close()


async def test_lists_of_words_are_obeyed(stand):
    port = await stand.serve(
        smtpd_noop_commands="ping", smtpd_forbidden_commands="GET regexp:{{/^[^A-Z]/ x}}"
    )
    for line in ("GET / HTTP/1.0", "12345"):
        peer = await Peer.connect(port)
        await peer.reply()
        assert await peer.ask("PING") == "250 2.0.0 Ok"
        assert await peer.ask(line) == "221 2.7.0 Error: I can break rules, too. Goodbye."
        assert f"smtpd: warning: non-SMTP command from unknown[127.0.0.1]: {line}" in stand.log
        await peer.close()


async def test_a_list_that_fails_costs_no_session(stand):
    port = await stand.serve(smtpd_forbidden_commands="fail:words")
    peer = await Peer.connect(port)
    await peer.reply()
    assert await peer.ask("FOO") == "500 5.5.2 Error: command not recognized"
    await peer.close()


@pytest.mark.parametrize(("exclusions", "mode"), [("127.0.0.1", BareNewline.ALLOW), ("", BareNewline.REJECT)])
async def test_excluded_clients_may_send_bare_line_feeds(stand, exclusions, mode):
    port = await stand.serve(
        smtpd_forbid_bare_newline="reject", smtpd_forbid_bare_newline_exclusions=exclusions
    )
    peer = await Peer.connect(port)
    await peer.reply()
    (connection,) = stand.service._sessions
    assert connection.machine.bare is mode
    await peer.close()


async def test_no_room_for_the_message_is_temporary(stand):
    stand.make(has_space=lambda size: size < 1000)
    peer = await Peer.connect(await stand.serve())
    await peer.reply()
    await peer.ask("EHLO x")
    assert await peer.ask("MAIL FROM:<a@example.net> SIZE=1000") == "452 4.3.1 Insufficient system storage"
    assert "NOQUEUE: reject: MAIL from" in stand.log[-1]
    assert await peer.ask("MAIL FROM:<a@example.net> SIZE=999") == "250 2.1.0 Ok"
    await peer.close()


async def test_etrn_is_the_policys_and_then_the_services(stand):
    stand.make()

    async def served(domain):
        return Reply(250, "", "Queuing started") if domain == "ours.example" else None

    stand.service.etrn = served
    peer = await Peer.connect(await stand.serve())
    await peer.reply()
    assert await peer.ask("ETRN ours.example") == "250 Queuing started"
    assert await peer.ask("ETRN other.example") == "459 <other.example>: service unavailable"
    stand.policy.replies["etrn"] = Reply(459, "", "<ours.example>: Etrn command rejected: Access denied")
    assert (await peer.ask("ETRN ours.example")).startswith("459 <ours.example>: Etrn")
    assert "NOQUEUE: reject: ETRN from" in stand.log[-1]
    await peer.close()


async def test_a_site_that_is_not_eligible_is_in_the_log_in_postfixs_words(stand):
    async def served(domain):
        return Reply(459, "", f"<{domain}>: service unavailable")

    stand.make()
    stand.service.etrn = served
    peer = await Peer.connect(await stand.serve())
    await peer.reply()
    assert await peer.ask("ETRN other.example") == "459 <other.example>: service unavailable"
    assert "warning: reject: ETRN other.example... from " in stand.log[-1]
    stand.policy.error = TableUnavailable("hash:/etc/x: no such file")
    assert await peer.ask("ETRN other.example") == "451 4.3.0 Temporary lookup failure"
    await peer.close()


async def test_a_lookup_that_failed_is_a_temporary_failure(stand):
    peer = await Peer.connect(await stand.serve())
    await peer.reply()
    await peer.ask("EHLO x", "MAIL FROM:<a@example.net>")
    stand.policy.error = TableUnavailable("hash:/etc/x: no such file")
    assert await peer.ask("RCPT TO:<b@example.test>") == "451 4.3.0 Temporary lookup failure"
    await peer.close()


async def test_services_log_under_their_own_name(stand):
    stand.make(syslog_name="postfix/submission")
    assert stand.service.log.name == "postfix/submission"


async def test_a_local_user_is_who_the_kernel_says(stand, tmp_path):
    service = stand.make(local=True)
    server = await stand.loop.create_unix_server(service.protocol, str(tmp_path / "s"))
    stand.servers.append(server)
    peer = Peer(*await asyncio.open_unix_connection(str(tmp_path / "s")))
    await peer.reply()
    await peer.send(
        "EHLO x\r\nMAIL FROM:<root> XFULLNAME=Charlie+20Root\r\nRCPT TO:<a@b..c>\r\nRCPT TO:<b>\r\nDATA\r\n"
    )
    for _ in range(4):
        await peer.reply()
    assert (await peer.reply()).startswith("354")
    assert (await peer.ask("Subject: x\r\n\r\nhello\r\n.")).startswith("250")
    session = stand.intake.receivers[0].session
    assert session.client.local_uid == os.getuid()
    assert session.memory["fullname"] == "Charlie Root"
    assert stand.log == [f"pickup: 0000000000000AB: uid={os.getuid()} from=<root>"]
    await peer.close()


async def test_sessions_between_messages_end_at_a_stop_and_others_finish(stand):
    port = await stand.serve()
    idle, busy = await Peer.connect(port), await Peer.connect(port)
    await idle.reply()
    await busy.reply()
    await busy.ask("EHLO x", "MAIL FROM:<a@example.net>", "RCPT TO:<b@example.test>", "DATA")
    draining = asyncio.ensure_future(stand.service.drain(5))
    assert await idle.reply() == "421 4.3.2 mx.example.test Service shutting down"
    assert await idle.reply() == "(closed)"
    await busy.send("x\r\n.\r\n")
    assert (await busy.reply()).startswith("250 2.0.0 Ok: queued")
    assert (await busy.reply()).startswith("421 4.3.2")
    await asyncio.wait_for(draining, 2)
    assert stand.service.sessions == 0
    for peer in (idle, busy):
        await peer.close()


async def test_a_stop_does_not_wait_for_ever(stand):
    port = await stand.serve()
    peer = await Peer.connect(port)
    await peer.reply()
    await peer.ask("EHLO x", "MAIL FROM:<a@example.net>", "RCPT TO:<b@example.test>", "DATA")
    await stand.service.drain(0.01)
    assert (await peer.reply()).startswith("421 4.3.2")
    await eventually(lambda: not stand.service.sessions)
    assert stand.intake.receivers[0].aborted
    await peer.close()


async def test_who_comes_after_the_stop_is_turned_away(stand):
    port = await stand.serve()
    stand.service.stop_accepting()
    peer = await Peer.connect(port)
    assert (await peer.reply()).startswith("421 4.3.2")
    await peer.close()


def test_a_setting_that_cannot_be_used_is_refused_at_once():
    from .conftest import Stand

    loop = asyncio.new_event_loop()
    try:
        with pytest.raises(ValueError, match="unknown EHLO keyword"):
            Stand(loop).make(smtpd_discard_ehlo_keywords="dns")
    finally:
        loop.close()


async def test_exceptions_that_cannot_be_looked_up_turn_nobody_away(stand, tmp_path):
    missing = str(tmp_path / "mynetworks")
    port = await stand.serve(
        smtpd_client_connection_count_limit="1",
        smtpd_client_event_limit_exceptions=missing,
        smtpd_forbid_bare_newline_exclusions=missing,
    )
    first, second = await Peer.connect(port), await Peer.connect(port)
    assert (await first.reply()).startswith("220")
    assert (await second.reply()).startswith("421 4.7.0")  # the limit holds
    assert any("smtpd_client_event_limit_exceptions: open" in line for line in stand.log)
    for peer in (first, second):
        await peer.close()
