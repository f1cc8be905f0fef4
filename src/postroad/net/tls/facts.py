"""What a finished handshake tells: the facts of a session, the certificate of its peer, channel bindings."""

from __future__ import annotations

import hashlib
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID
from OpenSSL import SSL, crypto

from postroad.model.tls import PeerCertificate, TlsFacts, Trust
from postroad.net.tls import openssl
from postroad.net.tls.context import Verification

EXPORTER: Final = "tls-exporter"
END_POINT: Final = "tls-server-end-point"
_EXPORTER_LABEL = b"EXPORTER-Channel-Binding"
_EXPORTER_SIZE = 32

#: Signature schemes of TLS 1.3 (RFC 8446 4.2.3) by number: (name, digest), as Postfix writes them.
_SCHEMES: Final = {
    0x0401: ("RSA", "SHA256"),
    0x0501: ("RSA", "SHA384"),
    0x0601: ("RSA", "SHA512"),
    0x0403: ("ECDSA", "SHA256"),
    0x0503: ("ECDSA", "SHA384"),
    0x0603: ("ECDSA", "SHA512"),
    0x0804: ("RSA-PSS", "SHA256"),
    0x0805: ("RSA-PSS", "SHA384"),
    0x0806: ("RSA-PSS", "SHA512"),
    0x0809: ("RSA-PSS", "SHA256"),
    0x080A: ("RSA-PSS", "SHA384"),
    0x080B: ("RSA-PSS", "SHA512"),
    0x0807: ("ED25519", ""),
    0x0808: ("ED448", ""),
}
#: What cryptography says of certificates that it cannot read.
_STRANGE: Final = (ValueError, TypeError, UnsupportedAlgorithm)
_CURVES: Final = {"secp256r1": "prime256v1"}  # OpenSSL's name for it


def facts_of(connection: SSL.Connection, seen: Verification, *, server: bool, peer: PeerCertificate | None) -> TlsFacts:  # fmt: skip  # noqa: E501
    """Return the facts of an established session."""
    protocol = connection.get_protocol_version_name()
    used, whole = openssl.cipher_bits(connection)
    resumed = openssl.resumed(connection)
    again = resumed and protocol == "TLSv1.3"  # nobody signs again: the keys are told, as Postfix does
    mine = _signature(seen.sent, _own(connection)) if seen.sent or (again and server) else ("", "")
    shown = peer is not None and (seen.received or again)
    theirs = _signature(seen.received, _parsed(peer.der)) if peer is not None and shown else ("", "")
    at_server, at_client = (mine, theirs) if server else (theirs, mine)
    return TlsFacts(
        protocol=protocol,
        cipher=connection.get_cipher_name() or "",
        used_bits=used,
        algorithm_bits=whole,
        key_exchange=_group(connection) if protocol == "TLSv1.3" else "",
        server_signature=at_server[0],
        server_digest=at_server[1],
        client_signature=at_client[0],
        client_digest=at_client[1],
        resumed=resumed,
        trust=_trust(peer),
        server_name=seen.server_name if server else (connection.get_servername() or b"").decode("ascii"),
        peer=peer,
    )


def _trust(peer: PeerCertificate | None) -> Trust:
    if peer is None:
        return "Anonymous"
    return "Trusted" if peer.trusted else "Untrusted"


def _group(connection: SSL.Connection) -> str:
    name = connection.get_group_name() or ""
    if name.lower() in ("x25519", "x448"):
        return name.upper()
    if name.startswith("ffdhe"):
        return f"DHE ({name[5:]} bits)"
    if name.lower().startswith(("secp", "prime", "brainpool")):
        return f"ECDHE ({_CURVES.get(name, name)})"
    return name


def _own(connection: SSL.Connection) -> x509.Certificate | None:
    found = connection.get_certificate()
    return None if found is None else _parsed(crypto.dump_certificate(crypto.FILETYPE_ASN1, found))


def _parsed(der: bytes) -> x509.Certificate | None:
    """Return a certificate; None for one that OpenSSL takes and cryptography does not."""
    try:
        return x509.load_der_x509_certificate(der)
    except ValueError:
        return None


def _signature(scheme: int, certificate: x509.Certificate | None) -> tuple[str, str]:
    """Return the signature's name and digest; scheme 0: there is none, only the key."""
    name, digest = _SCHEMES.get(scheme, ("", ""))
    try:
        key = certificate.public_key() if certificate is not None else None
    except _STRANGE:
        key = None
    if isinstance(key, ec.EllipticCurvePublicKey):
        return f"{name or 'ECDSA'} ({_CURVES.get(key.curve.name, key.curve.name)})", digest
    if isinstance(key, rsa.RSAPublicKey):
        return f"{name or 'RSA-PSS'} ({key.key_size} bits)", digest
    if isinstance(key, ed25519.Ed25519PublicKey):
        return "ED25519", ""
    return name, digest


def peer_of(der: bytes, *, trusted: bool, digest: str) -> PeerCertificate:
    """Return what is told of a peer's certificate; ``digest`` is hashlib's name.

    What cannot be read of a strange one is "".
    """
    subject = issuer = key = ""
    try:
        certificate = x509.load_der_x509_certificate(der)
        subject = common_name(certificate.subject)
        issuer = common_name(certificate.issuer) or organization(certificate.issuer)
        key = fingerprint(_key_bytes(certificate), digest)
    except _STRANGE:
        pass
    return PeerCertificate(subject, issuer, fingerprint(der, digest), key, trusted, der)


def _key_bytes(certificate: x509.Certificate) -> bytes:
    form, encoding = serialization.PublicFormat.SubjectPublicKeyInfo, serialization.Encoding.DER
    return certificate.public_key().public_bytes(encoding, form)


def common_name(name: x509.Name) -> str:
    """Return the last common name, "" if there is none."""
    return _attribute(name, NameOID.COMMON_NAME)


def organization(name: x509.Name) -> str:
    """Return the organisation: what Postfix calls an issuer without a common name."""
    return _attribute(name, NameOID.ORGANIZATION_NAME)


def _attribute(name: x509.Name, oid: x509.ObjectIdentifier) -> str:
    found = name.get_attributes_for_oid(oid)
    value = found[-1].value if found else ""
    return value if isinstance(value, str) else ""


def fingerprint(data: bytes, digest: str) -> str:
    """Return upper-case hexadecimal octets parted by colons."""
    return hashlib.new(digest, data, usedforsecurity=False).digest().hex(":").upper()


def exported(connection: SSL.Connection) -> bytes:
    """Return the channel binding tls-exporter (RFC 9266), b"" where the session cannot have one."""
    if not openssl.extended_master_secret(connection):
        return b""  # RFC 9266 4.2: without it two sessions might share their keys
    return connection.export_keying_material(_EXPORTER_LABEL, _EXPORTER_SIZE, b"")


def end_point(der: bytes) -> bytes:
    """Return the channel binding tls-server-end-point for a server's certificate (RFC 5929 4.1)."""
    try:
        algorithm = x509.load_der_x509_certificate(der).signature_hash_algorithm
    except _STRANGE:
        return b""  # an algorithm that is not known has no binding
    if algorithm is None:
        return b""  # Ed25519: the RFC defines no binding
    name = "sha256" if isinstance(algorithm, hashes.MD5 | hashes.SHA1) else algorithm.name
    return hashlib.new(name.replace("sha3-", "sha3_"), der).digest()
