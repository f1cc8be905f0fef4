"""Sessions that begin with TLS (smtpd_tls_wrappermode)."""

from __future__ import annotations

import asyncio
import ssl

import pytest

from patience import until

from .conftest import Peer
from .tlspeer import TlsPeer, context, ended

WRAPPER = {"smtpd_tls_wrappermode": "yes", "smtpd_tls_loglevel": "1"}
HERE = "unknown[127.0.0.1]"
ENVELOPE = ["EHLO client.example", "MAIL FROM:<a@example.net>", "RCPT TO:<b@example.test>"]


async def wrapped(port, **options):
    """Return a client of a service that begins with TLS."""
    peer = await TlsPeer.connect(port)
    await peer.shake(**options)
    return peer


async def test_a_session_can_begin_with_tls(stand, pair):
    peer = await wrapped(await stand.serve(pair=pair, **WRAPPER))
    assert await peer.reply() == "220 mx.example.test ESMTP Postfix"
    assert "STARTTLS" not in await peer.ask("EHLO x")
    assert await peer.ask("STARTTLS") == "554 5.5.1 Error: TLS already active"
    assert (await peer.ask(*ENVELOPE)).startswith("250")
    await peer.ask("QUIT")
    await ended(stand)
    assert stand.log[0] == f"smtpd: connect from {HERE}"
    assert f"Anonymous TLS connection established from {HERE}: TLSv1.3 with cipher " in stand.log[1]
    assert (
        stand.log[-1]
        == f"smtpd: disconnect from {HERE} ehlo=2 starttls=0/1 mail=1 rcpt=1 quit=1 commands=5/6"
    )
    await peer.close()


async def test_what_comes_before_it_is_known_who_the_client_is_waits(stand, pair):
    gate = asyncio.get_running_loop().create_future()

    async def identify(client):
        await gate
        client.name = "client.example"

    peer = await TlsPeer.connect(await stand.serve(pair=pair, identify=identify, **WRAPPER))
    peer.begin()
    with pytest.raises(ssl.SSLWantReadError):
        peer.tls.do_handshake()
    hello = peer.outgoing.read()
    peer.writer.write(hello[:20])
    await until(lambda: stand.service.sessions)
    [connection] = stand.service.guests
    await until(lambda: not connection._transport.is_reading())
    peer.writer.write(hello[20:])
    gate.set_result(None)
    await peer._until(peer.tls.do_handshake)
    assert (await peer.reply()).startswith("220")
    assert "established from client.example[127.0.0.1]" in stand.log[1]
    await peer.close()


@pytest.mark.parametrize("words", [b"EHLO x\r\n", b"GET / HTTP/1.1\r\n\r\n", b"\0" * 600])
async def test_plain_text_where_tls_belongs_is_not_answered(stand, pair, words):
    peer = await Peer.connect(await stand.serve(pair=pair, **WRAPPER))
    await peer.send(words)
    await ended(stand)
    assert stand.log[1] == f"smtpd: SSL_accept error from {HERE}: -1"
    assert stand.log[-2:] == [
        f"smtpd: lost connection after CONNECT from {HERE}",
        f"smtpd: disconnect from {HERE} commands=0/0",
    ]
    assert stand.policy.asked == []
    await peer.close()


async def test_without_a_certificate_a_session_that_begins_with_tls_is_dropped(stand):
    peer = await Peer.connect(await stand.serve(name="465", **WRAPPER))
    await ended(stand)
    assert f"Wrapper-mode request dropped from {HERE} for service 465." in stand.log[-2]
    assert await peer.rest() == b""
    await peer.close()


async def test_one_session_too_many_hears_so_under_tls(stand, pair):
    port = await stand.serve(pair=pair, smtpd_client_connection_count_limit="1", **WRAPPER)
    one = await wrapped(port)
    assert (await one.reply()).startswith("220")
    two = await wrapped(port)
    assert (await two.reply()).startswith(
        "421 4.7.0 mx.example.test Error: too many connections from 127.0.0.1"
    )
    assert await two.reply() == "(closed)"
    await one.close()
    await two.close()


async def test_a_session_that_waits_for_a_place_is_cut_without_a_plain_word(stand, pair):
    port = await stand.serve(pair=pair, limit=1, **WRAPPER)
    one = await wrapped(port)
    await one.reply()
    two = await Peer.connect(port)
    await until(lambda: stand.service.sessions == 2)
    stand.service.stop_accepting()
    assert (await one.reply()).startswith("421 4.3.2")
    assert await two.rest() == b""
    await one.close()
    await two.close()


async def test_in_place_of_the_greeting_where_sessions_begin_with_tls(stand, pair):
    peer = await wrapped(await stand.serve(pair=pair, smtpd_tls_req_ccert="yes", **WRAPPER))
    assert await peer.reply() == "421 4.7.1 mx.example.test Error: No client certificate presented"
    assert await peer.reply() == "(closed)"
    await peer.close()


async def test_sessions_that_are_gone_on_with_are_not_counted(stand, pair):
    port = await stand.serve(pair=pair, smtpd_client_new_tls_session_rate_limit="1", **WRAPPER)
    made = context()
    first = await wrapped(port, made=made)
    assert (await first.reply()).startswith("220")
    again = await wrapped(port, made=made, session=first.tls.session)
    assert again.tls.session_reused
    assert (await again.reply()).startswith("220")
    await first.close()
    await again.close()


async def test_a_client_that_does_not_wait_to_be_known_is_gone(stand, pair):
    gate = asyncio.get_running_loop().create_future()

    async def identify(_client):
        await gate

    peer = await Peer.connect(await stand.serve(pair=pair, identify=identify, **WRAPPER))
    await peer.send(b"\x16\x03\x01")
    await until(lambda: stand.service.sessions)
    await peer.close()
    await asyncio.sleep(0)
    gate.set_result(None)
    await ended(stand)
    assert stand.policy.asked == []
