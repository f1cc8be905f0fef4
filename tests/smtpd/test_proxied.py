from __future__ import annotations

import asyncio

import pytest

from patience import until

from .conftest import Peer
from .tlspeer import TlsPeer

HEADER = b"PROXY TCP4 192.0.2.7 198.51.100.1 4001 25\r\n"
BEHIND = {"smtpd_upstream_proxy_protocol": "haproxy"}


async def test_the_client_is_who_the_proxy_says(stand):
    peer = await Peer.connect(await stand.serve(**BEHIND))
    for piece in (HEADER[:9], HEADER[9:]):
        await peer.send(piece)
        await asyncio.sleep(0)
    assert (await peer.reply()).startswith("220")
    await peer.ask("MAIL FROM:<a@example.net>", "RCPT TO:<b@example.test>")
    client = stand.intake.receivers[0].session.client
    assert (client.address, client.port) == ("192.0.2.7", 4001)
    assert (client.server_address, client.server_port) == ("198.51.100.1", 25)
    assert any("connect from unknown[192.0.2.7]" in line for line in stand.log)
    assert "PROXY" not in await peer.ask(HEADER.decode().strip())  # a second one is no command


async def test_what_comes_behind_the_header_is_the_clients(stand):
    peer = await Peer.connect(await stand.serve(**BEHIND))
    await peer.send(HEADER + b"NOOP\r\n")
    assert (await peer.reply()).startswith("220")
    assert (await peer.reply()).startswith("250")


async def test_a_proxy_may_speak_for_itself(stand):
    peer = await Peer.connect(await stand.serve(**BEHIND))
    await peer.send(b"PROXY UNKNOWN\r\n")
    assert (await peer.reply()).startswith("220")
    assert any("connect from unknown[127.0.0.1]" in line for line in stand.log)


@pytest.mark.parametrize(
    ("header", "log"),
    [
        (b"EHLO foo\r\n", r"short protocol header: EHLO foo\r\n"),
        (b"PROXY " + b"a" * 200, "missing protocol header terminator: PROXY aaa"),
    ],
)
async def test_who_does_not_come_by_the_proxy_is_told_nothing(stand, header, log):
    peer = await Peer.connect(await stand.serve(**BEHIND))
    await peer.send(header)
    assert await peer.reply() == "421 4.3.0 mx.example.test Server local error"
    assert await peer.rest() == b""
    assert any(f"warning: haproxy read: {log}" in line for line in stand.log)
    assert any("disconnect from unknown[127.0.0.1] commands=0/0" in line for line in stand.log)


async def test_so_is_one_who_says_nothing_or_not_enough(stand):
    port = await stand.serve(**BEHIND, smtpd_upstream_proxy_timeout="1s")
    peer = await Peer.connect(port)
    await peer.send(HEADER[:9])
    peer.writer.write_eof()
    assert (await peer.reply()).startswith("421")
    late = await Peer.connect(port)
    await until(lambda: stand.service.sessions == 1)
    (connection,) = stand.service.guests
    connection.expired()
    assert (await late.reply()).startswith("421")
    log = "\n".join(stand.log)
    assert "haproxy read: EOF" in log
    assert "haproxy read: timeout error" in log


async def test_the_header_comes_before_tls(stand, pair):
    port = await stand.serve(pair=pair, smtpd_tls_wrappermode="yes", **BEHIND)
    bad = await Peer.connect(port)
    await bad.send(b"EHLO\r\n")
    assert await bad.rest() == b""
    peer = await TlsPeer.connect(port)
    await peer.send(HEADER)
    await peer.shake()
    assert (await peer.reply()).startswith("220")
    assert any("connect from unknown[192.0.2.7]" in line for line in stand.log)


async def test_a_server_that_stops_waits_for_no_header(stand):
    peer = await Peer.connect(await stand.serve(**BEHIND))
    await until(lambda: stand.service.sessions == 1)
    stand.service.stop_accepting()
    assert (await peer.reply()).startswith("421 4.3.2")
