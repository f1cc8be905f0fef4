"""Reads what is trusted from PEM: certificates, and bare keys that stand for an authority."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import load_der_public_key

from postroad.net.tls.errors import TlsError

_BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----(.*?)-----END \1-----", re.DOTALL)
_CERTIFICATES = frozenset({b"CERTIFICATE", b"X509 CERTIFICATE"})


@dataclass(frozen=True, slots=True)
class Anchors:
    """Certificates in DER, and keys."""

    certificates: tuple[bytes, ...]
    keys: tuple[PublicKeyTypes, ...]


def read_anchors(name: str, pem: bytes) -> Anchors:
    """Return what a file has; TlsError, with the file's ``name``, if it has nothing or something broken."""
    certificates: list[bytes] = []
    keys: list[PublicKeyTypes] = []
    for match in _BLOCK.finditer(pem):
        try:
            if match[1] in _CERTIFICATES:
                der = base64.b64decode(b"".join(match[2].split()), validate=True)
                x509.load_der_x509_certificate(der)
                certificates.append(der)
            elif match[1] == b"PUBLIC KEY":
                keys.append(load_der_public_key(base64.b64decode(b"".join(match[2].split()), validate=True)))
        except Exception as error:  # noqa: BLE001 - the codecs' own classes
            raise TlsError(f"{name}: malformed {match[1].decode().lower()}: {error}") from None
    if not certificates and not keys:
        raise TlsError(f"{name}: no certificate and no public key")
    return Anchors(tuple(certificates), tuple(keys))
