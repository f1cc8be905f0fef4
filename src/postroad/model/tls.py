"""What is known of a session that is encrypted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Trust = Literal["Anonymous", "Untrusted", "Trusted", "Verified"]


@dataclass(frozen=True, slots=True)
class PeerCertificate:
    """The certificate that the other end showed.

    ``subject`` and ``issuer`` are common names, "" where there is none.  The fingerprints are
    upper-case hexadecimal octets parted by colons, by the digest that the parameters name.
    ``trusted``: a chain of certificates leads to an authority that is trusted here.
    """

    subject: str
    issuer: str
    certificate_fingerprint: str
    key_fingerprint: str
    trusted: bool
    der: bytes = b""


@dataclass(frozen=True, slots=True)
class TlsFacts:
    """How a session is encrypted, and with whom.  ``""`` where a thing is not known or not used.

    ``trust`` is the first word of the log line: Anonymous (no certificate), Untrusted, Trusted, and
    for a client whose policy asks for it Verified (the certificate is that of the wanted host).
    """

    protocol: str
    cipher: str
    used_bits: int
    algorithm_bits: int
    key_exchange: str = ""
    server_signature: str = ""
    server_digest: str = ""
    client_signature: str = ""
    client_digest: str = ""
    resumed: bool = False
    trust: Trust = "Anonymous"
    server_name: str = ""  # SNI
    peer: PeerCertificate | None = None

    def describe(self) -> str:
        """Return what log lines and Received fields have behind the words "with cipher" and before."""
        bits = f"({self.used_bits}/{self.algorithm_bits} bits)"
        text = f"{self.protocol} with cipher {self.cipher} {bits}"
        for name, value in (
            ("key-exchange", self.key_exchange),
            ("server-signature", self.server_signature),
            ("server-digest", self.server_digest),
            ("client-signature", self.client_signature),
            ("client-digest", self.client_digest),
        ):
            if value:
                text += f" {name} {value}"
        return text

    def received_clause(self, *, asked: bool) -> str:
        """Return the lines that Postfix writes into the Received field (smtpd_tls_received_header).

        ``asked``: the client was asked for a certificate.  Whoever writes the field puts a tab before
        each line.
        """
        text = self.describe()
        for name in ("key-exchange", "client-signature"):
            text = text.replace(f" {name} ", f"\n {name} ", 1)
        return f"(using {text})\n({self._client(asked)})"

    def _client(self, asked: bool) -> str:
        peer = self.peer
        if peer is None:
            return "Client did not present a certificate" if asked else "No client certificate requested"
        verdict = "verified OK" if peer.trusted else "not verified"
        return f'Client CN "{_fit(peer.subject)}", Issuer "{_fit(peer.issuer)}" ({verdict})'


def _fit(name: str) -> str:
    """Return a name that a stranger chose, without what could end the quotes, the comment or the line."""
    return "".join(
        char if char.isascii() and char.isprintable() and char not in '()\\"' else "?" for char in name
    )
