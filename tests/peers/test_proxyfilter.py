"""A before-queue content filter: what it says is what the client hears, and nothing is queued without it."""

from __future__ import annotations

import re
import smtplib
import socket
from pathlib import Path

import pytest

from peers.harness import Postroad, free_port, message
from peers.nexthop import NextHop
from peers.reinjector import reinjector

pytestmark = pytest.mark.peer
_BACK = """\
{back} inet n - n - - smtpd
  -o smtpd_proxy_filter= -o syslog_name=postfix/back
  -o smtpd_authorized_xforward_hosts=127.0.0.0/8
  -o receive_override_options=no_unknown_recipient_checks
"""


def proxied(place: Path, filter_port: int, back: int, main: str = "", **options: object) -> Postroad:
    """Return a server whose mail goes by a filter before it is queued."""
    text = f"smtpd_proxy_filter = 127.0.0.1:{filter_port}\nsmtpd_proxy_timeout = 20s\n{main}"
    return Postroad(place, main=text, master=_BACK.replace("{back}", str(back)), **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "options", ["", "smtpd_proxy_options = speed_adjust\n"], ids=["live", "speed_adjust"]
)
def test_mail_passes_the_filter_and_its_words_reach_the_client(place: Path, options: str) -> None:
    port, back = free_port(), free_port()
    with reinjector(back, port), proxied(place, port, back, options) as server:
        with server.connect() as client:
            client.sendmail("s@client.example", ["alice@example.test", "bob@example.test"], message())
            with pytest.raises(smtplib.SMTPDataError) as refused:
                client.sendmail("s@client.example", ["alice@example.test"], message("virus"))
            assert refused.value.args == (550, b"5.7.0 there is a virus in it")
            with pytest.raises(smtplib.SMTPRecipientsRefused):
                client.sendmail("s@client.example", ["nobody@example.test"], message())
            client.sendmail(
                "s@client.example", ["alice@example.test"], message("big", "0123456789\r\n" * 60_000)
            )
        first, second = server.wait_mail("alice", 2)
        assert b"X-Filtered: from=<s@client.example> to=<alice@example.test,bob@example.test>" in first
        assert b" ADDR=127.0.0.1 " in first
        assert re.search(rb"by mx\.example\.test \(\w+\) with ESMTP;\n", first)
        assert second.count(b"0123456789\n") == 60_000
        [copy] = server.wait_mail("bob")
        assert copy.count(b"X-Filtered:") == 1
        server.wait_empty()
        log = server.log()
        assert "NOQUEUE: client=unknown[127.0.0.1]" in log
        assert "proxy-accept: END-OF-MESSAGE: 250 2.0.0 handed back; from=<s@client.example>" in log
        assert (
            "proxy-reject: END-OF-MESSAGE: 550 5.7.0 there is a virus in it; from=<s@client.example>" in log
        )
        assert "orig_client=unknown[127.0.0.1]" in log


def is_taken(server: Postroad, number: int) -> bool:
    """Send a message; False when it is to be sent later."""
    try:
        server.send("s@client.example", "alice@example.test", message(f"number {number}"))
    except smtplib.SMTPRecipientsRefused as refused:
        codes = {code for code, _text in refused.recipients.values()}
    except smtplib.SMTPDataError as refused:
        codes = {refused.smtp_code}
    else:
        return True
    assert codes == {451}
    return False


def test_a_filter_that_is_killed_loses_nothing_that_was_taken(place: Path) -> None:
    port, back = free_port(), free_port()
    with reinjector(back, port) as filtering, proxied(place, port, back) as server:
        taken = 0
        for number in range(30):
            if number in (10, 20):
                filtering.kill()
            if number in (13, 23):
                filtering.start()
            taken += is_taken(server, number)
        assert taken == 24
        found = server.wait_mail("alice", taken)
        assert len(found) == taken
        assert all(b"X-Filtered:" in each for each in found)
        assert "connect to proxy filter" in server.log()


_SMUGGLED = (
    b"Subject: x\r\n\r\nx\n.\nMAIL FROM:<evil@client.example>\nRCPT TO:<alice@example.test>\nDATA\nSubject: evil\n\nevil\n.\n",
    b"Subject: x\r\n\r\nx\n.\r\nMAIL FROM:<evil@client.example>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\nevil\n.\r\n",
    b"Subject: x\r\n\r\nx\r.\rMAIL FROM:<evil@client.example>\rRCPT TO:<alice@example.test>\rDATA\revil\r.\r",
    b"\n.\nMAIL FROM:<evil@client.example>\nDATA\n",
    b".\nMAIL FROM:<evil@client.example>\n",
    b" .\r\n.\nMAIL FROM:<evil@client.example>\r\n",
    b"From x\r\n.\nMAIL FROM:<evil@client.example>\r\n",
    b"\r\r\n.\r\r\n",
)


@pytest.mark.parametrize(
    "options", ["", "smtpd_proxy_options = speed_adjust\n"], ids=["live", "speed_adjust"]
)
def test_nothing_is_smuggled_through(place: Path, options: str) -> None:
    main = f"smtpd_forbid_unauth_pipelining = no\nsmtpd_forbid_bare_newline_exclusions =\n{options}"
    with NextHop() as hop, proxied(place, hop.port, free_port(), main) as server:
        for content in _SMUGGLED:
            chunk = b"BDAT %d LAST\r\n%b" % (len(content), content)
            for data in (b"DATA\r\n" + content + b"\r\n.\r\n", chunk):
                smuggle(server, data)
        assert len(hop.accepted) == len(hop.received) == 2 * len(_SMUGGLED)
        for each in hop.received:
            assert each.sender == "s@client.example"
            assert b"\r" not in each.content.replace(b"\r\n", b"")
            assert b"\n" not in each.content.replace(b"\r\n", b"")
            assert each.content.startswith(b"Received: from c.example")
        assert hop.lines.count("RCPT TO:<alice@example.test> NOTIFY=NEVER") == len(hop.accepted)
        assert not any(line.startswith(("MAIL FROM:<evil", "evil")) for line in hop.lines)


def smuggle(server: Postroad, data: bytes) -> None:
    """Send a message with all else in one go, and read what is said until the end."""
    with (
        socket.create_connection((server.host, server.port), timeout=30) as client,
        client.makefile("rb") as replies,
    ):
        head = (
            b"EHLO c.example\r\nMAIL FROM:<s@client.example>\r\nRCPT TO:<alice@example.test> NOTIFY=NEVER\r\n"
        )
        client.sendall(head + data + b"QUIT\r\n")
        replies.read()
