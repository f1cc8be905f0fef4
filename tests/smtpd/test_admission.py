"""Clients that speak for others, over a socket."""

from __future__ import annotations

from .conftest import Peer

OWN = {"smtpd_authorized_xclient_hosts": "127.0.0.1", "smtpd_authorized_xforward_hosts": "127.0.0.1"}


async def test_after_xclient_all_is_about_the_other_client(stand):
    port = await stand.serve(smtpd_client_connection_count_limit="1", **OWN)
    first, peer = await Peer.connect(port), await Peer.connect(port)
    assert (await first.reply()).startswith("220")
    assert (await peer.reply()).startswith("220")  # who speaks for others is not counted
    assert "XCLIENT" in await peer.ask("EHLO proxy")
    assert (await peer.ask("XCLIENT NAME=spike.example ADDR=192.0.2.9 LOGIN=joe")).startswith(
        "220 mx.example.test"
    )
    said = await peer.ask("EHLO spike")  # 192.0.2.9 is no proxy
    assert "XCLIENT" not in said
    assert "XFORWARD" in said
    assert (await peer.ask("XCLIENT ADDR=192.0.2.8")).startswith("550 5.7.0")
    await peer.ask("MAIL FROM:<a@example.net>", "RCPT TO:<b@example.test>", "QUIT")
    await peer.close()
    await first.close()
    assert any(
        line.endswith("client=spike.example[192.0.2.9], sasl_method=XCLIENT, sasl_username=joe")
        for line in stand.log
    )
    assert any("disconnect from spike.example[192.0.2.9] ehlo=2 xclient=0/2" in line for line in stand.log)
    assert stand.policy.asked.count(("connect",)) == 3


async def test_the_log_has_what_xforward_said(stand):
    peer = await Peer.connect(await stand.serve(**OWN))
    await peer.reply()
    await peer.ask(
        "EHLO proxy",
        "XFORWARD NAME=n.example ADDR=192.0.2.9 IDENT=4XYZ",
        "MAIL FROM:<a@example.net>",
        "RCPT TO:<b@example.test>",
        "QUIT",
    )
    await peer.close()
    assert any(
        line.endswith("client=unknown[127.0.0.1], orig_queue_id=4XYZ, orig_client=n.example[192.0.2.9]")
        for line in stand.log
    )
