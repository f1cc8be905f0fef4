"""Looks at the TLS of another server: what it speaks, who it is, and what each level would say to that."""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography import x509

from postroad.admin.dialogue import Dialogue, DialogueLost, NoServer
from postroad.admin.tls_keys import host_names
from postroad.base.params import Settings
from postroad.delivery.smtp import tls_params as p
from postroad.model.tls import TlsFacts
from postroad.net.dane import Dane, DaneState
from postroad.net.hostname import is_hostname
from postroad.net.mailhosts import Host
from postroad.net.tls.client import ClientTls, Offer
from postroad.net.tls.errors import TlsError
from postroad.net.tls.pipe import TlsPipe
from postroad.net.tls.verify import Demand, Verdict, fingerprints, judge, matches
from postroad.net.tls.verify_chain import Authorities

_DEPTH = 9
_READ = 65536


@dataclass(frozen=True, slots=True)
class ShownCertificate:
    """One certificate that a server has sent.  Fingerprints are SHA-256 in hexadecimal digits."""

    subject: str
    issuer: str
    names: tuple[str, ...]
    begins: str
    ends: str
    fingerprint: str
    key_fingerprint: str


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen of one host.  ``levels`` is what each TLS level would say, by its name."""

    host: Host
    facts: TlsFacts
    sent: tuple[bytes, ...]
    certificates: tuple[ShownCertificate, ...]
    matching: tuple[bool, ...]  # for each TLSA record
    levels: dict[str, Verdict]


class _Encrypted:
    """A socket with TLS in between, as far as a Dialogue needs one."""

    def __init__(self, peer: socket.socket, pipe: TlsPipe) -> None:
        self._peer = peer
        self.pipe = pipe
        self._plain = b""
        pipe.start()
        self._flush()
        while not pipe.established:
            self._plain += self._receive()

    def sendall(self, data: bytes) -> None:
        self.pipe.send(data)
        self._flush()

    def recv(self, _size: int) -> bytes:
        while not self._plain and not self.pipe.closed:
            self._plain += self._receive()
        plain, self._plain = self._plain, b""
        return plain

    def close(self) -> None:
        self._peer.close()

    def _receive(self) -> bytes:
        data = self._peer.recv(_READ)
        if not data:
            raise ConnectionError("the server closed the connection")
        try:
            return self.pipe.receive(data)
        finally:
            self._flush()

    def _flush(self) -> None:
        if out := self.pipe.take():
            self._peer.sendall(out)


class _FingerDialogue(Dialogue):
    """A dialogue whose TLS takes any certificate and keeps all that the server shows."""

    pipe: TlsPipe | None = None

    def shake(self, pipe: TlsPipe) -> None:
        """Begin TLS here and now; DialogueLost when hands cannot be shaken."""
        if self._replies.pending:
            raise DialogueLost("the server spoke out of turn before TLS")
        try:
            self._peer = _Encrypted(self._peer, pipe)  # type: ignore[assignment]
        except TlsError as error:
            raise DialogueLost(f"TLS: {error}") from error
        except OSError as error:
            raise DialogueLost(f"TLS: {error.strerror or error}") from error
        self.pipe = pipe


def finger(host: Host, nexthop: str, dane: Dane | None, settings: Settings, authorities: Authorities, *, name: str, wrapper: bool = False, timeout: float = 30.0) -> Seen:  # fmt: skip  # noqa: E501
    """Shake hands with a host and judge what it shows.

    ``name`` is ours, for EHLO; ``dane`` None: nobody could look.  NoServer, DialogueLost, or TlsError for
    settings that cannot be used.
    """
    tls = ClientTls(settings, (), lifetime=0, digest="sha256", now=time.monotonic)
    server_name = dane.base if dane is not None and dane.base else host.name
    offer = Offer(
        settings[p.TLS_PROTOCOLS["smtp"]],
        settings[p.TLS_CIPHERS["smtp"]],
        server_name=server_name if is_hostname(server_name) else "",
    )
    with _connect(host, timeout) as dialogue:
        pipe = tls.connect(offer, None)
        if wrapper:
            dialogue.shake(pipe)
        reply = dialogue.hello(name)
        if not reply.good:
            raise DialogueLost(f"the server says {reply.text}")
        if not wrapper:
            if not dialogue.features.starttls:
                raise DialogueLost("the server does not offer STARTTLS")
            reply = dialogue.say(b"STARTTLS")
            if not reply.good:
                raise DialogueLost(f"the server says {reply.text} to STARTTLS")
            dialogue.shake(pipe)
        sent = tls.sent(pipe, None)
        facts = pipe.facts()
        dialogue.quit()
    records = dane.records if dane is not None else ()
    return Seen(
        host,
        facts,
        sent,
        tuple(_shown(each) for each in sent),
        tuple(any(matches(record, each) for each in sent) for record in records),
        _levels(host, nexthop, dane, sent, authorities),
    )


def _connect(host: Host, timeout: float) -> _FingerDialogue:
    try:
        peer = socket.create_connection((host.address, host.port), timeout)
    except OSError as error:
        reason = error.strerror or str(error)
        raise NoServer(f"connect to {host.name}[{host.address}]:{host.port}: {reason}") from error
    return _FingerDialogue(peer, timeout=timeout)


def _levels(host: Host, nexthop: str, dane: Dane | None, sent: Sequence[bytes], authorities: Authorities) -> dict[str, Verdict]:  # fmt: skip  # noqa: E501
    found = {
        "may": judge(sent, Demand(), authorities),
        "verify": judge(sent, Demand("verify", (host.name,), depth=_DEPTH), authorities),
        "secure": judge(sent, Demand("verify", (nexthop, f".{nexthop}"), depth=_DEPTH), authorities),
    }
    if dane is not None and dane.state is DaneState.USABLE:
        names = tuple(filter(None, (dane.base, nexthop if dane.authenticated else "", host.mx_domain)))
        demand = Demand("dane", names, records=dane.records, secure=dane.authenticated, depth=_DEPTH)
        found["dane"] = judge(sent, demand, None)
    return found


def _shown(der: bytes) -> ShownCertificate:
    own, key = fingerprints(der, "sha256")
    try:
        certificate = x509.load_der_x509_certificate(der)
        return ShownCertificate(
            certificate.subject.rfc4514_string(),
            certificate.issuer.rfc4514_string(),
            tuple(host_names(certificate)),
            certificate.not_valid_before_utc.isoformat(),
            certificate.not_valid_after_utc.isoformat(),
            own,
            key,
        )
    except ValueError:
        return ShownCertificate("?", "?", (), "?", "?", own, key)
