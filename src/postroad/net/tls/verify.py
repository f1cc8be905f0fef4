"""What a server's certificate is worth: the judgement over a finished handshake, by the policy's level.

The handshake itself refuses no certificate: OpenSSL proves that the server has the key, and everything
else is decided here, so that a name, a fingerprint or a TLSA record can stand for an authority.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from postroad.model.tls import Trust
from postroad.net.dane import Tlsa
from postroad.net.tls.errors import TlsError
from postroad.net.tls.verify_chain import Authorities
from postroad.net.tls.verify_names import certificate_names, match_name

#: Certificates of a server's chain that are looked at.
CHAIN_LIMIT = 20
MISMATCH = "server certificate verification failed for {}: num=62:hostname mismatch"
NOT_TRUSTED = "certificate verification failed for {}: not trusted by local or TLSA policy"
UNSPECIFIED = (
    "server certificate verification failed for {}: num=1:unspecified certificate verification error"
)
_DIGESTS = {1: "sha256", 2: "sha512"}  # RFC 6698 7.4


class _Trusting(Protocol):
    def fault(self, sent: Sequence[bytes], depth: int) -> str: ...


@dataclass(frozen=True, slots=True)
class Demand:
    """What a certificate has to be.  Whatever is empty is not asked for.

    ``level`` is "" where nothing is asked, else fingerprint, dane, or verify (which secure is too, with
    other ``names``: those that the certificate may be for).  ``fingerprints`` are lower-case
    hexadecimal digits, by hashlib's ``digest``.  ``secure``: the host's name can be believed, so that
    what matches is Verified and not only Trusted.
    """

    level: str = ""
    names: tuple[str, ...] = ()
    fingerprints: tuple[str, ...] = ()
    digest: str = "sha256"
    records: tuple[Tlsa, ...] = ()
    depth: int = 9
    multi_label: bool = True
    secure: bool = True


@dataclass(frozen=True, slots=True)
class Verdict:
    """``trust`` is for the log; ``matched``: the demand is met, mail may be sent.

    ``fault`` is a line for the log with ``{}`` for the server, "" when there is nothing to say.  ``name`` is
    the one of the certificate's that was wanted, where that mattered.
    """

    trust: Trust
    matched: bool
    fault: str = ""
    name: str = ""


def judge(sent: Sequence[bytes], demand: Demand, authorities: _Trusting | None) -> Verdict:
    """Judge the certificates that a server has sent, its own first, in DER.

    ``authorities`` None: nobody asks whether it is trusted.
    """
    sent = sent[:CHAIN_LIMIT]
    if not sent:
        return Verdict("Anonymous", not demand.level, UNSPECIFIED if demand.level else "")
    if demand.level == "fingerprint":
        return _by_fingerprint(sent[0], demand)
    if demand.level == "dane":
        return _by_records(sent, demand)
    fault = authorities.fault(sent, demand.depth) if authorities is not None else UNSPECIFIED
    if not demand.level:
        return Verdict("Untrusted" if fault else "Trusted", matched=True, fault=fault)
    if fault:
        return Verdict("Untrusted", matched=False, fault=fault)
    name = _named(sent[0], demand)
    if not name:
        return Verdict("Untrusted", matched=False, fault=MISMATCH)
    return Verdict("Verified", matched=True, name=name)


def fingerprints(der: bytes, digest: str) -> tuple[str, str]:
    """Return the fingerprints of a certificate and of its key, "" for a key that cannot be read."""
    key = public_key(der)
    made = hashlib.new(digest, der, usedforsecurity=False).hexdigest()
    return made, hashlib.new(digest, key, usedforsecurity=False).hexdigest() if key else ""


def public_key(der: bytes) -> bytes:
    """Return a certificate's key (SubjectPublicKeyInfo, DER), b"" when it cannot be read."""
    try:
        key = x509.load_der_x509_certificate(der).public_key()
        return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except Exception:  # noqa: BLE001 - the codec's own classes: all mean that there is none
        return b""


def _named(der: bytes, demand: Demand) -> str:
    try:
        certificate = x509.load_der_x509_certificate(der)
    except ValueError:
        return ""
    return match_name(certificate_names(certificate), demand.names, multi_label=demand.multi_label)


def _by_fingerprint(der: bytes, demand: Demand) -> Verdict:
    # Dates and names do not count: the operator has said which certificate it is.
    if any(made and made in demand.fingerprints for made in fingerprints(der, demand.digest)):
        return Verdict("Verified", matched=True)
    return Verdict("Untrusted", matched=False, fault=UNSPECIFIED)


# --- DANE (RFC 7671, RFC 7672)


def _by_records(sent: Sequence[bytes], demand: Demand) -> Verdict:
    good: Trust = "Verified" if demand.secure else "Trusted"
    for record in demand.records:
        # RFC 7672 3.1.1: neither names nor dates count for DANE-EE.
        if record.usage == 3 and matches(record, sent[0]):
            return Verdict(good, matched=True)
    fault = NOT_TRUSTED
    anchors = [record for record in demand.records if record.usage == 2]
    if anchors:
        fault = _by_anchor(sent, demand, anchors)
        if not fault:
            return Verdict(good, matched=True)
    return Verdict("Untrusted", matched=False, fault=fault)


def _by_anchor(sent: Sequence[bytes], demand: Demand, records: Sequence[Tlsa]) -> str:
    """Return what is wrong with a chain that has to lead to one of the records, "" for nothing."""
    trusted = [each for each in sent[1:] if any(matches(record, each) for record in records)]
    # RFC 7671 5.2: a record that has the whole certificate or key saves the server the sending.
    whole = [record for record in records if record.matching == 0]
    trusted += [record.data for record in whole if record.selector == 0 and public_key(record.data)]
    keys = [key for record in whole if record.selector == 1 and (key := _key(record.data)) is not None]
    if not (trusted or keys):
        return NOT_TRUSTED
    try:
        fault = Authorities(trusted, anchors=True, keys=keys).fault(sent, demand.depth)
    except TlsError:
        return NOT_TRUSTED
    if fault:
        return NOT_TRUSTED if "issuer" in fault or "self-signed" in fault else fault
    return "" if _named(sent[0], demand) else MISMATCH  # RFC 7672 3.1.2


def _key(der: bytes) -> PublicKeyTypes | None:
    try:
        return load_der_public_key(der)
    except Exception:  # noqa: BLE001 - the codec's own classes: all mean that it is none
        return None


def matches(record: Tlsa, der: bytes) -> bool:
    """Return whether a certificate is the one of a record, or has its key (RFC 6698 2.1)."""
    data = der if record.selector == 0 else public_key(der)
    if not data:
        return False
    if record.matching == 0:
        return data == record.data
    digest = _DIGESTS.get(record.matching)
    return digest is not None and hashlib.new(digest, data).digest() == record.data
