"""A running server behind a proxy, behind another server, and with more clients than it wants."""

from __future__ import annotations

import re
import smtplib
import socket
from pathlib import Path

import pytest

from peers.harness import Postroad, free_port, message
from peers.test_milters import stub

pytestmark = pytest.mark.peer
AUTHORIZED = "smtpd_authorized_xclient_hosts = 127.0.0.0/8\nsmtpd_authorized_xforward_hosts = 127.0.0.0/8"


def test_after_xclient_restrictions_judge_the_other_client(place: Path) -> None:
    main = (
        f"{AUTHORIZED}\nsmtpd_delay_reject = no\nsmtpd_client_restrictions = inline:{{{{192.0.2.66=REJECT}}}}"
    )
    with Postroad(place, main=main) as server:
        with server.connect() as client:
            client.ehlo()
            assert (
                client.docmd("XCLIENT", "NAME=spike.example ADDR=192.0.2.9 HELO=spike PROTO=ESMTP")[0] == 220
            )
            client.mail("s@client.example")
            assert client.rcpt("x@elsewhere.example")[0] == 454  # 192.0.2.9 is not in mynetworks
            assert client.rcpt("alice@example.test")[0] == 250
            assert client.data(message())[0] == 250
        (found,) = server.wait_mail("alice")
        assert b"Received: from spike (spike.example [192.0.2.9])\n" in found
        with server.connect() as client:
            client.ehlo()
            assert client.docmd("XCLIENT", "ADDR=192.0.2.66")[0] == 554
            assert client.docmd("NOOP")[0] == 503


def test_the_next_server_is_told_where_mail_comes_from(place: Path) -> None:
    with Postroad(place, name="two", host="127.0.0.2", main=AUTHORIZED) as second:
        main = f"relayhost = [{second.host}]:{second.port}\nsmtp_send_xforward_command = yes\n{AUTHORIZED}"
        with Postroad(place, name="one", domain="one.test", main=main) as first:
            first.send("s@client.example", "alice@example.test", message())
            second.wait_mail("alice")
            (line,) = second.wait_log(r"smtpd.* client=")
            (taken,) = first.wait_log(r"smtpd\[\d+\]: [0-9A-F]+: client=")
            queue_id = re.search(r": ([0-9A-F]+): client=", taken)[1]
            assert line.endswith(
                f"client=unknown[127.0.0.1], orig_queue_id={queue_id}, orig_client=unknown[127.0.0.1]"
            )


def test_a_proxy_says_whose_connections_are(place: Path) -> None:
    with Postroad(place, main="smtpd_upstream_proxy_protocol = haproxy") as server:
        client = smtplib.SMTP(timeout=30)
        client.sock = socket.create_connection((server.host, server.port), timeout=30)
        client.sock.sendall(b"PROXY TCP4 192.0.2.7 127.0.0.1 4001 25\r\n")
        assert client.getreply()[0] == 220
        client.sendmail("s@client.example", "alice@example.test", message())
        client.quit()
        (found,) = server.wait_mail("alice")
        assert b"(unknown [192.0.2.7])" in found
        with socket.create_connection((server.host, server.port), timeout=30) as direct:
            direct.sendall(b"EHLO direct\r\n")
            assert direct.makefile("rb").readline().startswith(b"421 4.3.0 ")


def test_limits_in_a_time_hold_for_all_workers_together(place: Path) -> None:
    main = (
        "smtpd_client_message_rate_limit = 5\nsmtpd_client_event_limit_exceptions =\nanvil_rate_time_unit = 1d\n"
        f"{AUTHORIZED.splitlines()[1]}"
    )
    with Postroad(place, main=main, workers=2) as server:
        said = []
        for _ in range(8):
            with server.connect() as client:
                client.ehlo()
                said.append(client.mail("s@client.example"))
        assert [code for code, _ in said] == [250] * 5 + [450] * 3
        assert said[-1] == (450, b"4.7.1 Error: too much mail from 127.0.0.1")
        server.wait_log("Message delivery request rate limit exceeded: 8 from unknown", 1)


def test_a_full_service_is_short_with_new_clients(place: Path) -> None:
    port = free_port()
    main = "smtpd_banner = $myhostname ESMTP ${stress?stressed}"
    with Postroad(place, main=main, master=f"{port} inet n - n - 2 smtpd", workers=2) as server:
        first, second = (smtplib.SMTP(server.host, port, timeout=30) for _ in range(2))
        first.quit()
        greetings = []
        for _ in range(8):  # a worker hears of it with a session of its own
            client = smtplib.SMTP(timeout=30)
            greetings.append(client.connect(server.host, port)[1])
            client.quit()
        assert any(each.endswith(b"stressed") for each in greetings)
        second.quit()
        server.wait_log(
            rf'master\[\d+\]: warning: service "{port}" \({port}\) has reached its process limit "2"'
        )


def test_milters_hear_of_the_other_client(place: Path) -> None:
    with (
        stub() as milter,
        Postroad(place, main=f"{AUTHORIZED}\nsmtpd_milters = {milter.name}") as server,
        server.connect() as client,
    ):
        client.ehlo()
        assert client.docmd("XCLIENT", "NAME=spike.example ADDR=192.0.2.9")[0] == 220
        client.mail("s@client.example")
        first, second = milter.data("C")
        assert b"127.0.0.1" in first
        assert second.startswith(b"spike.example\0")
        assert b"192.0.2.9" in second
