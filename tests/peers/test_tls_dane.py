"""Mail to hosts whose zones have TLSA records: Postroad delivers to a Postfix, through a validating resolver."""

from __future__ import annotations

import hashlib
import re
import smtplib
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes

from peers.certificates import Authority, self_signed
from peers.dnssec import validated
from peers.harness import Postroad, a_place, free_port, until
from peers.programs import postfix

pytestmark = pytest.mark.peer

HANDSHAKE = "Server certificate not verified"
#: Transport and host -> (trust in the log, reason of the deferral); no trust: sent in plain text.
CASES = {
    ("dane", "ee"): ("Verified", ""),
    ("dane", "key"): ("Verified", ""),
    ("dane", "ta"): ("Verified", ""),
    ("dane", "taname"): ("Untrusted", HANDSHAKE),
    ("dane", "other"): ("Untrusted", HANDSHAKE),
    ("dane", "both"): ("Verified", ""),
    ("dane", "pkix"): ("Untrusted", ""),
    ("dane", "none"): ("Untrusted", ""),
    ("dane", "stripped"): ("", "TLS is required, but was not offered by host"),
    ("dane", "unsigned"): ("Untrusted", ""),
    ("dane", "bogus"): ("", "Name service error|not found"),
    ("only", "ee"): ("Verified", ""),
    ("only", "none"): ("", "no TLSA records found"),
    ("only", "pkix"): ("", "TLSA records unusable"),
    ("only", "unsigned"): ("", "no TLSA records found"),
}


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class Site:
    """The hosts: each has a port, by the certificate that is shown there, and perhaps a record."""

    def __init__(self) -> None:
        self.authority, self.own = Authority(), self_signed("anything.test", expired=True)
        self.below = self.authority.issue("mx.ta.signed.test")
        self.ports = {kind: free_port() for kind in ("own", "below", "plain")}
        own, key = self.own.der, self.own.public_key_der
        authority = self.authority.certificate.fingerprint(hashes.SHA256()).hex()
        self.wrong = f"3 1 1 {'ab' * 32}"
        self.records = {
            "ee": ("own", [f"3 0 1 {sha256(own)}"]),
            "key": ("own", [f"3 1 2 {hashlib.sha512(key).hexdigest()}"]),
            "ta": ("below", [f"2 0 1 {authority}"]),
            "taname": ("below", [f"2 0 1 {authority}"]),
            "other": ("own", [self.wrong]),
            "both": ("own", [self.wrong, f"3 1 1 {sha256(key)}"]),
            "pkix": ("own", [f"1 1 1 {sha256(key)}"]),
            "none": ("own", []),
            "stripped": ("plain", [f"3 0 1 {sha256(own)}"]),
        }

    def signed_zone(self) -> str:
        lines = []
        for name, (kind, records) in self.records.items():
            lines.append(f"mx.{name} A 127.0.0.1")
            lines += [f"_{self.ports[kind]}._tcp.mx.{name} TLSA {record}" for record in records]
        return "\n".join(lines) + "\n"

    def other_zone(self) -> str:
        """A zone whose records do not count, for one reason or another."""
        return f"mx A 127.0.0.1\n_{self.ports['own']}._tcp.mx TLSA {self.wrong}\n"

    def routes(self) -> str:
        hosts = {name: (f"mx.{name}.signed.test", kind) for name, (kind, _) in self.records.items()}
        hosts |= {"unsigned": ("mx.plain.test", "own"), "bogus": ("mx.bogus.test", "own")}
        return "".join(
            f"{name}@{level}.test {level}:[{host}]:{self.ports[kind]}\n"
            for name, (host, kind) in hosts.items()
            for level in ("dane", "only")
        )

    def services(self, place: Path) -> str:
        """Write the certificates; returns the lines of master.cf."""
        self.own.write(place, "own")
        self.below.write(place, "below")
        (place / "below.pem").write_bytes(self.below.certificate_pem + self.authority.pem)
        lines = []
        for kind, port in self.ports.items():
            lines.append(f"127.0.0.1:{port} inet n - n - - smtpd")
            if kind == "plain":
                lines.append("  -o smtpd_tls_security_level=none")
            else:
                lines.append(
                    f"  -o smtpd_tls_cert_file={place}/{kind}.pem -o smtpd_tls_key_file={place}/{kind}.key"
                )
        return "\n".join(lines) + "\n"


SETTINGS = """
resolver_addresses = {dns}
transport_maps = texthash:{{etc}}/transport
smtp_dns_support_level = dnssec
smtp_tls_loglevel = 1
"""
MASTER = """
dane unix - - n - - smtp -o smtp_tls_security_level=dane
only unix - - n - - smtp -o smtp_tls_security_level=dane-only
"""
TAKING = "smtpd_tls_security_level = may\nvirtual_mailbox_domains = dane.test only.test\n"


@pytest.fixture(scope="module")
def client() -> Iterator[Postroad]:
    site = Site()
    zones = {"signed.test": site.signed_zone(), "bogus.test": site.other_zone()}
    with (
        a_place() as place,
        validated(place, zones, {"plain.test": site.other_zone()}, bogus=["bogus.test"]) as dns,
        postfix(place, "peer", main=TAKING, master=site.services(place)),
        Postroad(
            place, main=SETTINGS.format(dns=dns), master=MASTER, files={"transport": site.routes()}
        ) as server,
    ):
        with smtplib.SMTP(server.host, server.port, local_hostname="c.test", timeout=30) as session:
            for level, name in CASES:
                session.sendmail("", [f"{name}@{level}.test"], "Subject: x\r\n\r\nx\r\n")
        yield server


@pytest.mark.parametrize(("kind", "name"), CASES, ids=["-".join(case) for case in CASES])
def test_records_say_who_the_host_is(client: Postroad, kind: str, name: str) -> None:
    trust, why = CASES[kind, name]
    pattern = re.compile(rf"to=<{name}@{kind}\.test>.*, dsn=(\S+), status=(\w+) \((.*)\)")
    until(lambda: pattern.search(client.log()), 30, client.log)
    found = pattern.search(client.log())
    assert found is not None
    dsn, status, text = found.groups()
    if why:
        assert (status, dsn[0]) == ("deferred", "4")
        assert re.search(why, text)
    else:
        assert status == "sent"
    if trust and kind == "dane":
        host = "mx.plain.test" if name == "unsigned" else f"mx.{name}.signed.test"
        established = re.findall(rf"(\w+) TLS connection established to {host}\[", client.log())
        assert established
        assert set(established) == {trust}
