"""Postroad's TLS server beside Postfix's, on the same certificates: what scanners, clients and logs see."""

from __future__ import annotations

import contextlib
import re
import ssl
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from OpenSSL import SSL

from peers.certificates import Authority, Pair, self_signed
from peers.harness import Postroad, a_place, free_port, until
from peers.programs import Postfix, postfix
from peers.talk import Talk

pytestmark = pytest.mark.peer

_MAIN = """
smtpd_tls_security_level = may
smtpd_tls_cert_file = {place}/server.pem
smtpd_tls_key_file = {place}/server.key
smtpd_tls_CAfile = {place}/roots.pem
smtpd_tls_loglevel = 1
smtpd_tls_received_header = yes
smtpd_tls_fingerprint_digest = sha256
virtual_mailbox_maps = static:all/
mynetworks = 192.0.2.1
smtpd_relay_restrictions = permit_tls_clientcerts, reject_unauth_destination
relay_clientcerts = inline:{{{{{listed} = x}}}}
"""
_SERVICES = {
    "plain": "-o smtpd_tls_security_level=none",
    "may": "",
    "rsa": "-o smtpd_tls_cert_file={place}/rsa.pem -o smtpd_tls_key_file={place}/rsa.key",
    "strict": "-o smtpd_tls_security_level=encrypt -o smtpd_tls_mandatory_protocols=>=TLSv1.2"
    " -o smtpd_tls_mandatory_ciphers=high -o smtpd_tls_exclude_ciphers=aNULL,kRSA",
    "direct": "-o smtpd_tls_wrappermode=yes",
    "ask": "-o smtpd_tls_ask_ccert=yes",
    "all": "-o smtpd_tls_ask_ccert=yes"
    " -o smtpd_relay_restrictions=permit_tls_all_clientcerts,reject_unauth_destination",
    "access": "-o smtpd_tls_ask_ccert=yes -o {{smtpd_client_restrictions=check_ccert_access inline:{{{{"
    "{unwanted}=REJECT not you}}}}}}",
    "require": "-o smtpd_tls_security_level=encrypt -o smtpd_tls_req_ccert=yes",
    "encrypted": "-o smtpd_recipient_restrictions=reject_plaintext_session",
}
DOMAIN = "tls.test"


@dataclass
class Side:
    """One server, and its ports."""

    server: Postfix | Postroad
    ports: dict[str, int]
    place: Path
    marks: int = 0

    def mark(self) -> str:
        """Leave a mark in the log, behind all that was logged so far: a refused sender's address."""
        self.marks += 1
        sender = f"mark-{self.marks}@client.test"
        with Talk(self.ports["plain"]) as talk:
            talk.say("EHLO x", f"MAIL FROM:<{sender}>", "RCPT TO:<x@far.test>")
        until(lambda: f"from=<{sender}>" in self.server.log(), 30)
        return sender


@contextlib.contextmanager
def sides(*kinds: str) -> Iterator[dict[str, Side]]:
    """Run the servers that are named, on the same certificates."""
    with a_place() as place, contextlib.ExitStack() as stack:
        authority = Authority()
        pairs: dict[str, Pair] = {
            "server": authority.issue("localhost"),
            "rsa": authority.issue("localhost", kind="rsa"),
            "listed": self_signed("listed.test"),
            "signed": authority.issue("signed.test"),
            "unwanted": authority.issue("unwanted.test"),
            "expired": authority.issue("expired.test", expired=True),
        }
        for name, pair in pairs.items():
            pair.write(place, name)
        (place / "roots.pem").write_bytes(authority.pem)
        (place / "roots.pem").chmod(0o644)
        values = {"place": place, "listed": pairs["listed"].key_fingerprint()}
        values["unwanted"] = pairs["unwanted"].fingerprint()
        made = {}
        for kind in kinds:
            ports = {name: free_port() for name in _SERVICES}
            master = "".join(
                f"{port} inet n - n - - smtpd {_SERVICES[name].format(**values)}\n"
                for name, port in ports.items()
            )
            texts = {"main": _MAIN.format(**values), "master": master, "domain": DOMAIN, "name": "mx"}
            folder = place / kind
            folder.mkdir(mode=0o755)
            server: Postfix | Postroad
            if kind == "postfix":
                server = stack.enter_context(postfix(folder, **texts))
            else:
                server = stack.enter_context(Postroad(folder, **texts))
            made[kind] = Side(server, ports, place)
        yield made


@pytest.fixture(scope="module")
def both() -> Iterator[dict[str, Side]]:
    with sides("postfix", "postroad") as made:
        yield made


def talk_tls(side: Side, port: str, certificate: str = "", version: ssl.TLSVersion | None = None) -> Talk:
    """Return a session after STARTTLS and the second EHLO."""
    context = ssl.create_default_context(cafile=str(side.place / "roots.pem"))
    if version is not None:
        context.minimum_version = context.maximum_version = version
    if certificate:
        context.load_cert_chain(side.place / f"{certificate}.pem", side.place / f"{certificate}.key")
    talk = Talk(side.ports[port])
    talk.starttls(context)
    return talk


# --- what a scanner sees


def scan(side: Side, port: str, *options: str) -> ET.Element:
    where = side.place / "scan.xml"
    command = ["sslscan", "--no-colour", f"--xml={where}", *options, f"localhost:{side.ports[port]}"]
    done = subprocess.run(command, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stdout
    return ET.fromstring(where.read_bytes())


def ciphers(found: ET.Element) -> set[tuple[str, str]]:
    return {(each.get("sslversion", ""), each.get("cipher", "")) for each in found.iter("cipher")}


@pytest.mark.parametrize("port", ["may", "rsa", "strict", "direct"])
def test_a_scanner_finds_nothing_that_postfix_has_not(both: dict[str, Side], port: str) -> None:
    options = [] if port == "direct" else ["--starttls-smtp"]
    wanted, got = (scan(both[kind], port, *options) for kind in ("postfix", "postroad"))
    for kind in ("protocol", "renegotiation", "compression", "heartbleed", "fallback"):
        assert [each.attrib for each in got.iter(kind)] == [each.attrib for each in wanted.iter(kind)], kind
    assert len(ciphers(got)) > 3
    assert ciphers(got) <= ciphers(wanted)
    # Newer versions of OpenSSL do not count the short tags of CCM8 as HIGH.
    assert all(cipher.endswith("CCM8") for _, cipher in ciphers(wanted) - ciphers(got))
    assert min(int(each.get("dhebits", "4096")) for each in got.iter("cipher")) >= 2048
    assert all(each.get("vulnerable") == "0" for each in got.iter("heartbleed"))


def test_a_client_cannot_begin_the_handshake_again(both: dict[str, Side]) -> None:
    for side in both.values():
        talk = Talk(side.ports["may"])
        talk.say("EHLO x", "STARTTLS")
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        context.set_max_proto_version(SSL.TLS1_2_VERSION)
        talk.socket.settimeout(None)
        connection = SSL.Connection(context, talk.socket)
        connection.set_connect_state()
        connection.do_handshake()
        connection.sendall(b"EHLO x\r\n")
        assert connection.recv(4096).startswith(b"250-")
        connection.renegotiate()
        with pytest.raises(SSL.Error, match="no renegotiation"):
            connection.do_handshake()
        talk.close()


# --- certificates of clients


def rcpt(side: Side, port: str, certificate: str | None) -> str:
    """Return the answer to a recipient elsewhere; what fails before is the answer, too."""
    try:
        if certificate is None:
            talk = Talk(side.ports[port])
            talk.say("EHLO client.test")
        else:
            talk = talk_tls(side, port, certificate)
        answer = talk.say("MAIL FROM:<s@client.test>")
        if answer.startswith("250"):
            answer = talk.say("RCPT TO:<r@far.test>")
        talk.close()
    except OSError as error:  # a handshake that the server ended
        return type(error).__name__
    return answer


@pytest.mark.parametrize("port", ["ask", "all", "access", "require", "encrypted", "may"])
def test_a_clients_certificate_means_what_it_means_to_postfix(both: dict[str, Side], port: str) -> None:
    certificates = (None, "", "listed", "signed", "unwanted", "expired")
    wanted, got = (
        {name: rcpt(both[kind], port, name) for name in certificates} for kind in ("postfix", "postroad")
    )
    assert got == wanted


def test_who_is_listed_may_relay_and_nobody_else(both: dict[str, Side]) -> None:
    side = both["postroad"]
    assert rcpt(side, "ask", "listed") == "250 2.1.5 Ok\r\n"
    assert rcpt(side, "all", "signed") == "250 2.1.5 Ok\r\n"
    for port, certificate in (
        ("ask", "signed"),
        ("ask", ""),
        ("all", "expired"),
        ("all", ""),
        ("may", "listed"),
    ):
        assert rcpt(side, port, certificate).startswith("554 5.7.1 "), (port, certificate)


# --- what is written down


def deliver(
    side: Side, port: str, subject: str, certificate: str = "", version: ssl.TLSVersion | None = None
) -> str:
    """Send a message over TLS; return the server's Received field without id and time."""
    talk = talk_tls(side, port, certificate, version)
    talk.say("MAIL FROM:<s@client.test>", f"RCPT TO:<all@{DOMAIN}>", "DATA")
    assert talk.say(f"Subject: {subject}\r\n\r\nx\r\n.").startswith("250 ")
    assert talk.say("QUIT").startswith("221 ")
    talk.close()
    folder = side.server.work / "mail/all/new"
    mark = f"Subject: {subject}\n".encode()

    def arrived() -> list[bytes]:
        return [
            text
            for path in (folder.iterdir() if folder.exists() else ())
            if mark in (text := path.read_bytes())
        ]

    until(arrived, 30, side.server.log)
    field = re.search(rb"^Received:.*?\n(?=\S)", arrived()[0], re.MULTILINE | re.DOTALL)
    assert field is not None
    return re.sub(r"id \w+|;.*", "", field[0].decode())


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize(
    ("port", "certificate"),
    [("may", ""), ("rsa", ""), ("ask", ""), ("ask", "listed"), ("ask", "signed"), ("ask", "expired")],
)
def test_received_fields_and_log_lines_are_postfixs(
    both: dict[str, Side], port: str, certificate: str, version: ssl.TLSVersion
) -> None:
    subject = f"{port} {certificate} {version.name}"
    fields, lines = {}, {}
    pattern = r"smtpd\[\d+\]: (\w+ TLS connection established from .*|.*verif.*|.*certificate.*)"
    for kind, side in both.items():
        begin = f"from=<{side.mark()}>"
        fields[kind] = deliver(side, port, subject, certificate, version)
        end = f"from=<{side.mark()}>"
        lines[kind] = re.findall(pattern, side.server.log().partition(begin)[2].partition(end)[0])
    assert fields["postroad"] == fields["postfix"]
    assert lines["postroad"] == lines["postfix"]
    assert lines["postfix"]
    assert f"(using {version.name.replace('_', '.')} with cipher" in fields["postroad"]
