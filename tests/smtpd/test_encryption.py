"""STARTTLS, with a client whose every byte a test can choose."""

from __future__ import annotations

import asyncio
import gc
import ssl
import subprocess
import weakref

import pytest

from patience import until
from peers.certificates import self_signed
from postroad.model.reply import Reply

from .conftest import Peer
from .tlspeer import TlsPeer, ended, upgraded

MAY = {"smtpd_tls_security_level": "may", "smtpd_tls_loglevel": "1"}
ENCRYPT = {"smtpd_tls_security_level": "encrypt", "smtpd_tls_loglevel": "1"}
HERE = "unknown[127.0.0.1]"
ENVELOPE = ["EHLO client.example", "MAIL FROM:<a@example.net>", "RCPT TO:<b@example.test>"]
ESTABLISHED = (
    f"TLS connection established from {HERE}: TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)"
)


async def test_a_message_goes_through_encrypted_and_the_log_has_its_story(stand, pair):
    peer = await upgraded(await stand.serve(pair=pair, **MAY))
    assert "STARTTLS" not in await peer.ask("EHLO client.example")
    assert (await peer.ask(*ENVELOPE[1:], "DATA")).startswith("354")
    assert await peer.ask("Subject: x\r\n\r\nbody\r\n.") == "250 2.0.0 Ok: queued as 0000000000000AB"
    [receiver] = stand.intake.committed
    assert receiver.text == b"Subject: x\r\n\r\nbody\r\n"
    assert receiver.session.tls_facts.protocol == "TLSv1.3"
    assert receiver.session.tls.startswith(
        "(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)\n"
    )
    assert receiver.session.channel_binding("tls-exporter")
    assert await peer.ask("STARTTLS") == "554 5.5.1 Error: TLS already active"
    assert await peer.ask("QUIT") == "221 2.0.0 Bye"
    assert await peer.reply() == "(closed)"
    await ended(stand)
    assert stand.log[1].startswith(f"smtpd: Anonymous {ESTABLISHED}")
    assert stand.log[-1] == (
        f"smtpd: disconnect from {HERE} ehlo=2 starttls=1/2 mail=1 rcpt=1 data=1 quit=1 commands=7/8"
    )
    await peer.close()


async def test_a_transaction_in_plain_text_is_forgotten(stand, pair):
    peer = await TlsPeer.connect(await stand.serve(pair=pair, **MAY))
    await peer.reply()
    await peer.ask(*ENVELOPE)
    await peer.starttls()
    assert await peer.ask("DATA") == "503 5.5.1 Error: need RCPT command"
    assert stand.intake.receivers[0].aborted
    await peer.close()


@pytest.mark.parametrize("size", [1, 7, 100])
async def test_a_handshake_and_a_message_in_small_pieces(stand, pair, size):
    peer = await TlsPeer.connect(await stand.serve(pair=pair, **MAY))
    write = peer.writer.write

    def in_pieces(data):
        for at in range(0, len(data), size):
            write(data[at : at + size])

    await peer.reply()
    peer.writer.write = in_pieces
    await peer.starttls()
    assert (await peer.ask(*ENVELOPE, "DATA")).startswith("354")
    assert (await peer.ask("x\r\n" * 50 + ".")).startswith("250")
    await peer.close()


async def test_many_commands_in_one_record_are_answered_in_order(stand, pair):
    peer = await upgraded(await stand.serve(pair=pair, **MAY))
    stand.policy.gate = asyncio.get_running_loop().create_future()
    await peer.send(
        "EHLO x\r\nMAIL FROM:<a@example.net>\r\nRCPT TO:<b@example.test>\r\nDATA\r\nx\r\n.\r\nQUIT\r\n"
    )
    await until(lambda: stand.policy.asked[-1][0] == "helo")
    gate, stand.policy.gate = stand.policy.gate, None
    gate.set_result(None)
    replies = [await peer.reply() for _ in range(6)]
    assert [reply[:3] for reply in replies] == ["250", "250", "250", "354", "250", "221"]
    await peer.close()


@pytest.mark.parametrize("behind", ["NOOP\r\n", "MAIL FROM:<a@example.net>\r\n", "R", "\x16\x03\x01"])
async def test_what_comes_in_one_read_with_starttls_ends_the_session(stand, pair, behind):
    """CVE-2011-0411: it would be taken for the client's word once TLS is there."""
    peer = await Peer.connect(await stand.serve(pair=pair, **MAY))
    await peer.reply()
    await peer.ask("EHLO x")
    await peer.send("STARTTLS\r\n" + behind)
    assert await peer.reply() == "554 5.5.0 Error: SMTP protocol synchronization"
    assert await peer.reply() == "(closed)"
    await ended(stand)
    assert stand.log[1].startswith(f"smtpd: improper command pipelining after STARTTLS from {HERE}: ")
    assert [stage for stage, *_ in stand.policy.asked] == ["connect", "helo"]
    await peer.close()


async def test_plain_text_behind_the_go_ahead_is_no_command(stand, pair):
    peer = await Peer.connect(await stand.serve(pair=pair, **MAY))
    await peer.reply()
    await peer.ask("EHLO x", "STARTTLS")
    await peer.send("MAIL FROM:<a@example.net>\r\n")
    await ended(stand)
    assert stand.log[1] == f"smtpd: SSL_accept error from {HERE}: -1"
    assert stand.log[2].startswith("smtpd: warning: TLS library problem: error:")
    assert stand.log[3:] == [
        f"smtpd: lost connection after STARTTLS from {HERE}",
        f"smtpd: disconnect from {HERE} ehlo=1 starttls=0/1 commands=1/2",
    ]
    assert [stage for stage, *_ in stand.policy.asked] == ["connect", "helo"]
    await peer.close()


async def test_a_client_that_leaves_while_shaking_hands(stand, pair):
    port = await stand.serve(pair=pair, **MAY)
    for leave in ("close", "reset"):
        stand.log.clear()
        peer = await TlsPeer.connect(port)
        await peer.reply()
        await peer.ask("STARTTLS")
        peer.begin()
        with pytest.raises(ssl.SSLWantReadError):
            peer.tls.do_handshake()
        peer.writer.write(peer.outgoing.read()[:50])
        if leave == "reset":
            peer.reset()
        await peer.close()
        await ended(stand)
        assert stand.log[1:] == [
            f"smtpd: SSL_accept error from {HERE}: lost connection",
            f"smtpd: lost connection after STARTTLS from {HERE}",
            f"smtpd: disconnect from {HERE} starttls=0/1 commands=0/1",
        ]


async def test_a_client_that_stalls_is_cut_at_its_deadline_and_holds_up_nobody(stand, pair):
    port = await stand.serve(pair=pair, smtpd_starttls_timeout="7s", **MAY)
    slow = await Peer.connect(port)
    await slow.reply()
    await slow.ask("STARTTLS")
    [connection] = stand.service.guests
    assert 0 < connection.deadline - stand.loop.time() <= 7
    await slow.send(b"\x16\x03\x01")
    other = await upgraded(port)
    assert await other.ask("NOOP") == "250 2.0.0 Ok"
    assert 0 < connection.deadline - stand.loop.time() <= 7  # a byte earns no time
    stand.log.clear()
    connection.expired()
    assert await slow.rest() == b""
    assert stand.log == [
        f"smtpd: SSL_accept error from {HERE}: Connection timed out",
        f"smtpd: lost connection after STARTTLS from {HERE}",
        f"smtpd: disconnect from {HERE} starttls=0/1 commands=0/1",
    ]
    await slow.close()
    await other.close()


async def test_a_silent_encrypted_client_is_told_and_cut_off(stand, pair):
    peer = await upgraded(await stand.serve(pair=pair, **MAY))
    await peer.ask("NOOP")
    [connection] = stand.service.guests
    assert 290 < connection.deadline - stand.loop.time() <= 300
    connection.expired()
    assert await peer.reply() == "421 4.4.2 mx.example.test Error: timeout exceeded"
    assert await peer.reply() == "(closed)"
    await peer.close()


async def test_a_goodbye_in_the_middle_of_a_message_delivers_nothing(stand, pair):
    peer = await upgraded(await stand.serve(pair=pair, **MAY))
    await peer.ask(*ENVELOPE, "DATA")
    await peer.send("half a message\r\n")
    await peer.close_notify()
    peer.writer.write(b".\r\nQUIT\r\n")  # CVE-2026-45185: plain text behind TLS
    await ended(stand)
    assert stand.intake.committed == []
    assert stand.intake.receivers[0].aborted
    assert f"smtpd: lost connection after DATA (16 bytes) from {HERE}" in stand.log
    await peer.close()


async def test_so_it_is_in_a_chunk(stand, pair):
    peer = await upgraded(await stand.serve(pair=pair, **MAY))
    await peer.ask(*ENVELOPE)
    await peer.send("BDAT 100 LAST\r\nhalf")
    await peer.close_notify()
    peer.writer.write(b"x" * 96)
    await ended(stand)
    assert stand.intake.committed == []
    await peer.close()


async def test_what_came_before_a_goodbye_is_still_answered(stand, pair):
    stand.intake.held = []
    peer = await upgraded(await stand.serve(pair=pair, **MAY))
    await peer.ask(*ENVELOPE, "DATA")
    data = peer.encrypt("whole\r\n.\r\n")
    with pytest.raises(ssl.SSLWantReadError):
        peer.tls.unwrap()
    peer.writer.write(data + peer.outgoing.read() + b"RSET\r\n")
    await until(lambda: stand.intake.held)
    stand.intake.held[0](Reply(250, "2.0.0", "Ok: queued as 0000000000000AB"))
    await ended(stand)
    assert len(stand.intake.committed) == 1
    assert not stand.intake.receivers[0].aborted
    await peer.close()


async def test_a_broken_record_ends_the_session_and_no_word_of_it_counts(stand, pair):
    peer = await upgraded(await stand.serve(pair=pair, **MAY))
    await peer.ask(*ENVELOPE, "DATA")
    data = bytearray(peer.encrypt("x\r\n.\r\n"))
    data[-1] ^= 1
    peer.writer.write(bytes(data))
    await ended(stand)
    assert any("warning: TLS library problem: error:" in line for line in stand.log)
    assert f"smtpd: lost connection after DATA (0 bytes) from {HERE}" in stand.log
    assert stand.intake.committed == []
    await peer.close()


async def test_a_client_that_does_not_read_is_not_read_from(stand, pair):
    peer = await upgraded(await stand.serve(pair=pair, **MAY))
    [connection] = stand.service.guests
    connection.pause_writing()
    assert not connection._transport.is_reading()
    await peer.send("NOOP\r\n")
    connection.resume_writing()
    assert await peer.reply() == "250 2.0.0 Ok"
    await peer.close()


async def test_where_tls_is_demanded_nothing_else_comes_first(stand, pair):
    peer = await TlsPeer.connect(await stand.serve(pair=pair, **ENCRYPT))
    await peer.reply()
    must = "530 5.7.0 Must issue a STARTTLS command first"
    assert await peer.ask("EHLO x", "MAIL FROM:<a@example.net>") == must
    assert [stage for stage, *_ in stand.policy.asked] == ["connect", "helo"]
    await peer.starttls()
    assert await peer.ask("EHLO x", "MAIL FROM:<a@example.net>") == "250 2.1.0 Ok"
    await peer.close()


@pytest.mark.parametrize("level", ["may", "encrypt"])
async def test_without_a_certificate_there_is_no_tls_for_now(stand, level):
    port = await stand.serve(smtpd_tls_security_level=level)
    assert stand.log == ["smtpd: warning: No server certs available. TLS won't be enabled"]
    peer = await Peer.connect(port)
    await peer.reply()
    assert await peer.ask("EHLO x", "STARTTLS") == "454 4.7.0 TLS not available due to local problem"
    assert await peer.ask("NOOP") == "250 2.0.0 Ok"
    await peer.close()


async def test_at_level_none_nothing_is_said_of_it(stand):
    peer = await Peer.connect(await stand.serve(smtpd_tls_security_level="none", smtpd_use_tls="yes"))
    await peer.reply()
    assert "STARTTLS" not in await peer.ask("EHLO x")
    assert await peer.ask("STARTTLS") == "502 5.5.1 Error: command not implemented"
    await peer.close()


async def test_a_service_that_ends_waits_for_no_handshake(stand, pair):
    peer = await Peer.connect(await stand.serve(pair=pair, **MAY))
    await peer.reply()
    await peer.ask("STARTTLS")
    stand.service.stop_accepting()
    assert await peer.rest() == b""
    await peer.close()


async def test_nor_for_one_who_is_not_greeted_yet(stand):
    gate = asyncio.get_running_loop().create_future()

    async def slow(client):
        await gate

    peer = await Peer.connect(await stand.serve(identify=slow))
    await until(lambda: stand.service.sessions == 1)
    stand.service.stop_accepting()
    assert (await peer.reply()).startswith("421 4.3.2")
    gate.set_result(None)
    assert await peer.rest() == b""
    assert stand.policy.asked == []


async def test_one_that_must_end_now_says_nothing_in_plain_text(stand, pair):
    peer = await Peer.connect(await stand.serve(pair=pair, **MAY))
    await peer.reply()
    await peer.ask("STARTTLS")
    await stand.service.drain(0)
    assert await peer.rest() == b""
    assert stand.log[-1] == f"smtpd: disconnect from {HERE} starttls=0/1 commands=0/1"
    await peer.close()


async def test_more_is_logged_where_more_is_wanted_and_less_by_default(stand, pair):
    peer = await upgraded(
        await stand.serve(pair=pair, smtpd_tls_security_level="may", smtpd_tls_loglevel="2")
    )
    await until(lambda: len(stand.log) == 3)
    assert stand.log[1] == f"smtpd: setting up TLS connection from {HERE}"
    assert ESTABLISHED in stand.log[2]
    await peer.close()


async def test_openssls_own_client_is_served(stand, pair):
    port = await stand.serve(pair=pair, **MAY)
    command = ["openssl", "s_client", "-quiet", "-starttls", "smtp", "-crlf", "-connect", f"127.0.0.1:{port}"]
    made = await asyncio.create_subprocess_exec(
        *command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    out, _ = await asyncio.wait_for(made.communicate(b"NOOP\nQUIT\n"), 30)
    assert out.split(b"\r\n")[-3:] == [b"250 2.0.0 Ok", b"221 2.0.0 Bye", b""]


async def test_openssls_memory_is_free_as_soon_as_the_connection_is_gone(stand, pair):
    peer = await upgraded(await stand.serve(pair=pair, **MAY))
    await peer.ask("EHLO x")
    [connection] = stand.service.guests
    kept = weakref.ref(connection._tls.transport.pipe.connection)
    collecting = gc.isenabled()
    gc.disable()
    try:
        await peer.close()
        await ended(stand)
        del connection
        await until(lambda: kept() is None)
    finally:
        if collecting:
            gc.enable()


@pytest.mark.parametrize("known", [True, False])
async def test_the_name_that_a_client_asks_for_is_logged(stand, pair, known):
    other = self_signed("mx.example.test")
    sni = {"mx.example.test" if known else "else.example.test": other.key_pem + other.certificate_pem}
    peer = await upgraded(await stand.serve(pair=pair, sni=sni, **MAY))
    await peer.ask("NOOP")
    lines = [line for line in stand.log if "TLS" in line]
    if known:
        assert lines[0].startswith(
            f"smtpd: Anonymous TLS connection established from {HERE} to mx.example.test: "
        )
        assert peer.tls.getpeercert(binary_form=True) == other.der
    else:
        assert lines[0] == f"smtpd: TLS SNI mx.example.test from {HERE} not matched, using default chain"
        assert lines[1].startswith(f"smtpd: Anonymous TLS connection established from {HERE}: ")
    await peer.close()


async def test_the_time_of_a_whole_request_counts_under_tls_too(stand, pair):
    texts = {"smtpd_per_request_deadline": "yes", "smtpd_timeout": "100s"} | MAY
    peer = await upgraded(await stand.serve(pair=pair, **texts))
    await peer.ask(*ENVELOPE, "DATA")
    [connection] = stand.service.guests
    connection.deadline = before = stand.loop.time() + 1
    await peer.send("x" * 998 + "\r\n")
    await until(lambda: connection.deadline > before + 1)  # 1000 bytes at 500 a second
    assert connection.deadline < before + 3
    assert (await peer.ask(".")).startswith("250")
    connection.deadline = before
    await peer.send("NO")
    other = await upgraded(await stand.serve())
    assert connection.deadline == before  # part of a command earns nothing
    assert await peer.ask("OP") == "250 2.0.0 Ok"
    await peer.close()
    await other.close()
