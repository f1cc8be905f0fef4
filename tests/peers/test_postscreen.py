"""A whole server with postscreen in front: who waits gets through with the mail, who does not, does not."""

from __future__ import annotations

import smtplib
import socket
import ssl
from pathlib import Path

import pytest

from peers.certificates import self_signed
from peers.harness import Postroad, free_port, message
from peers.programs import nsd

pytestmark = pytest.mark.peer

_MASTER = """\
{screened} inet n - y - 1 postscreen
smtpd pass - - y - - smtpd
  -o smtpd_client_restrictions=permit
  -o syslog_name=postfix/mx
dnsblog unix - - y - 0 dnsblog
tlsproxy unix - - y - 0 tlsproxy
"""
_MAIN = "postscreen_access_list =\npostscreen_greet_wait = 1s\n"


def screened(place: Path, main: str = "", workers: int = 1) -> tuple[Postroad, int]:
    port = free_port()
    master = _MASTER.replace("{screened}", str(port))
    return Postroad(place, main=_MAIN + main, master=master, workers=workers), port


def client(port: int, address: str = "127.0.0.1") -> smtplib.SMTP:
    return smtplib.SMTP(
        "127.0.0.1", port, local_hostname="client.example", timeout=15, source_address=(address, 0)
    )


def send(session: smtplib.SMTP, subject: str) -> None:
    session.sendmail("s@client.example", ["alice@example.test"], message(subject))


def hurried(server: Postroad, port: int) -> str:
    """Send a mail without waiting for anything; return the log."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as sock:
        mail = b"Subject: x\r\n\r\nx\r\n.\r\n"
        envelope = b"EHLO x\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\n"
        sock.sendall(envelope + mail + b"QUIT\r\n")
        said = b""
        while data := sock.recv(4096):
            said += data
    lines = said.decode().split("\r\n")
    assert lines[0] == "220-mx.example.test ESMTP Postfix"
    assert lines[-3:-1] == ["550 5.5.1 Protocol error", "554 5.5.1 Error: no valid recipients"]
    server.wait_log(r"postscreen\[\d+\]: DISCONNECT")
    assert "helo=<x>" in server.log()
    return server.log()


def test_a_client_that_waits_delivers_and_is_known_and_one_that_does_not_gets_nowhere(place: Path) -> None:
    server, port = screened(place, "postscreen_greet_action = enforce\n", workers=2)
    with server:
        assert "/smtpd[" not in hurried(server, port)
        with client(port) as session:
            send(session, "first")
        server.wait_log(r"postfix/postscreen\[\d+\]: PASS NEW \[127\.0\.0\.1\]:\d+")
        for number in range(3):  # whichever worker it comes to
            with client(port) as session:
                send(session, f"again {number}")
        server.wait_mail("alice", 4)
        server.wait_log(r"PASS OLD \[127\.0\.0\.1\]", 3)
        server.wait_log("postfix/mx/smtpd")
        log = server.log()
        assert log.count("PREGREET") == 1


def test_a_list_in_the_dns(place: Path) -> None:
    zone = {"bl.test": "2.0.0.127 A 127.0.0.4"}
    with nsd(place, zone) as resolver:
        server, port = screened(
            place,
            f"resolver_addresses = {resolver}\npostscreen_dnsbl_sites = bl.test=127.0.0.[2..5]*2\n"
            "postscreen_dnsbl_threshold = 2\npostscreen_dnsbl_action = drop\n",
        )
        with server:
            with pytest.raises(smtplib.SMTPConnectError) as refused:
                client(port, "127.0.0.2")
            assert b"blocked using bl.test" in refused.value.args[1]
            with client(port, "127.0.0.3") as session:
                send(session, "not listed")
            server.wait_mail("alice")
            server.wait_log(r"dnsblog\[\d+\]: addr 127\.0\.0\.2 listed by domain bl\.test as 127\.0\.0\.4")
            server.wait_log(r"DNSBL rank 2 for \[127\.0\.0\.2\]")


def test_tests_after_the_greeting_under_tls_and_mail_at_the_second_try(place: Path) -> None:
    chain, key = self_signed("mx.example.test").write(place, "mx")
    server, port = screened(
        place,
        "postscreen_pipelining_enable = yes\nsmtpd_tls_security_level = may\nsmtpd_tls_loglevel = 1\n"
        f"smtpd_tls_cert_file = {chain}\nsmtpd_tls_key_file = {key}\n",
    )
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with server:
        for subject in ("put off", "taken"):
            with client(port) as session:
                session.starttls(context=context)
                if subject == "taken":
                    send(session, subject)
                    continue
                with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
                    send(session, subject)
                assert refused.value.recipients["alice@example.test"][0] == 450
        (kept,) = server.wait_mail("alice")
        assert b"taken" in kept
        server.wait_log(r"PASS OLD \[127\.0\.0\.1\]")
        log = server.log()
        assert "tlsproxy" in log
        assert log.index("PASS NEW [127.0.0.1]") < log.index("PASS OLD [127.0.0.1]")


def test_a_client_under_test_outlives_a_reload_and_no_stop(place: Path) -> None:
    server, port = screened(place, "postscreen_greet_wait = 2s\n")
    with server:
        with socket.create_connection(("127.0.0.1", port), timeout=30) as sock:
            assert sock.recv(100).startswith(b"220-")
            assert server.reload().returncode == 0
            assert sock.recv(100) == b"220 mx.example.test ESMTP Postfix\r\n"
            sock.sendall(b"QUIT\r\n")
            assert sock.recv(100) == b"221 2.0.0 Bye\r\n"
        with socket.create_connection(
            ("127.0.0.1", port), timeout=15, source_address=("127.0.0.2", 0)
        ) as sock:
            assert sock.recv(100).startswith(b"220-")
            server.stop()
            assert sock.recv(100) == b"421 4.3.2 Service currently unavailable\r\n"
