"""Certificates that are exchanged a hundred times while clients are served: no session fails."""

from __future__ import annotations

import smtplib
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cryptography import x509

from peers.certificates import Authority, Pair
from peers.harness import Postroad, message, until

pytestmark = pytest.mark.peer

HASTY, PATIENT = 94, 6
_MAIN = """
smtpd_tls_security_level = may
smtpd_tls_cert_file = {place}/cert.pem
smtpd_tls_key_file = {place}/cert.key
"""


@dataclass
class Clients:
    """Threads that send one message after the other over TLS, and note which certificate they were shown."""

    server: Postroad
    context: ssl.SSLContext
    shown: list[tuple[float, int]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    ended: bool = False

    def run(self, number: int) -> None:
        while not self.ended:
            try:
                self.session(number)
            except (OSError, smtplib.SMTPException) as error:
                self.failures.append(repr(error))

    def session(self, number: int) -> None:
        begun = time.monotonic()
        # The context demands a chain to the authority and the right name: any mixture would fail.
        with smtplib.SMTP("localhost", self.server.port, f"c{number}.test", timeout=30) as client:
            client.starttls(context=self.context)
            assert isinstance(client.sock, ssl.SSLSocket)
            der = client.sock.getpeercert(binary_form=True)
            assert der
            self.shown.append((begun, x509.load_der_x509_certificate(der).serial_number))
            client.sendmail("s@client.test", ["alice@example.test"], message("load"))

    def latest(self, since: float, count: int) -> list[int]:
        """Return what the last ``count`` sessions that began after a moment were shown."""
        return [serial for begun, serial in self.shown if begun > since][-count:]


@contextmanager
def clients(server: Postroad, roots: Path, count: int = 3) -> Iterator[Clients]:
    made = Clients(server, ssl.create_default_context(cafile=str(roots)))
    threads = [threading.Thread(target=made.run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield made
    finally:
        made.ended = True
        for thread in threads:
            thread.join()


def exchange(place: Path, pair: Pair) -> float:
    """Write certificate and key over the former ones, as a careless script does; return when it was done."""
    (place / "cert.pem").write_bytes(pair.certificate_pem)
    (place / "cert.key").write_bytes(pair.key_pem)
    return time.monotonic()


@pytest.mark.timeout(90)
def test_no_session_fails_while_certificates_are_exchanged(place: Path) -> None:
    authority = Authority()
    roots = place / "roots.pem"
    roots.write_bytes(authority.pem)
    authority.issue("localhost").write(place, "cert")
    pairs = [authority.issue("localhost") for _ in range(HASTY + PATIENT)]
    server = Postroad(place, main=_MAIN.format(place=place), workers=2)
    delays = []
    with server, clients(server, roots) as them:
        until(lambda: len(them.shown) > 5, 30, lambda: str(them.failures))
        for pair in pairs[:HASTY]:
            exchange(place, pair)
            time.sleep(0.03)
        for pair in pairs[HASTY:]:
            done = exchange(place, pair)
            serial = pair.certificate.serial_number
            until(lambda done=done, serial=serial: serial in them.latest(done, 1), 30, server.log)
            delays.append(min(begun for begun, shown in them.shown if shown == serial) - done)
        # Both workers: from now on nobody is shown another.
        last = time.monotonic()
        until(lambda: len(set(them.latest(last, 12))) == 1 and len(them.latest(last, 12)) == 12, 30)
        assert set(them.latest(last, 12)) == {pairs[-1].certificate.serial_number}
        sessions, kinds = len(them.shown), len({serial for _, serial in them.shown})
        assert them.failures == []
    print(  # noqa: T201
        f"{sessions} sessions, {kinds} certificates shown, first shown after at most {max(delays):.2f} s"
    )
    assert kinds > PATIENT


def test_files_that_do_not_fit_leave_the_former_certificate_in_force(place: Path) -> None:
    authority = Authority()
    roots = place / "roots.pem"
    roots.write_bytes(authority.pem)
    first, other, last = (authority.issue("localhost") for _ in range(3))
    first.write(place, "cert")
    server = Postroad(place, main=_MAIN.format(place=place))
    with server:
        them = Clients(server, ssl.create_default_context(cafile=str(roots)))
        broken: list[tuple[bytes, bytes]] = [
            (other.certificate_pem, first.key_pem),
            (other.certificate_pem[:300], other.key_pem),
        ]
        for count, (chain, key) in enumerate(broken, 1):
            (place / "cert.pem").write_bytes(chain)
            (place / "cert.key").write_bytes(key)
            server.wait_log("warning: certificates: .*the former ones stay in force", count)
            them.session(0)
            assert them.shown[-1][1] == first.certificate.serial_number
        exchange(place, last)
        end = time.monotonic() + 10
        while them.shown[-1][1] != last.certificate.serial_number and time.monotonic() < end:
            them.session(0)
        assert them.shown[-1][1] == last.certificate.serial_number
