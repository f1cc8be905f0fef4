"""Keys, requests for certificates, certificates of one's own making, and the TLSA records that fit them."""

from __future__ import annotations

import datetime as dt
import hashlib
import os
from collections.abc import Sequence

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from postroad.net.hostname import ascii_name, is_hostname

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey
_LONGEST_NAME = 64  # X.520: ub-common-name
_HASHES = {1: hashlib.sha256, 2: hashlib.sha512}


def new_key(rsa_bits: int = 0) -> bytes:
    """Return a new private key in PEM: ECDSA with P-256, or RSA of so many bits."""
    key: Key = (
        rsa.generate_private_key(65537, rsa_bits) if rsa_bits else ec.generate_private_key(ec.SECP256R1())
    )
    return key.private_bytes(Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def read_key(pem: bytes) -> Key:
    """Return the private key of a text in PEM; ValueError if there is none that can be used."""
    try:
        key = serialization.load_pem_private_key(pem, None)
    except TypeError:
        raise ValueError("the key is encrypted with a passphrase") from None
    except Exception as error:
        raise ValueError("no private key in PEM") from error
    if not isinstance(key, Key):
        raise ValueError("a key of a sort that servers do not use")  # noqa: TRY004 - a text of the operator's
    return key


def request(key: Key, names: Sequence[str]) -> bytes:
    """Return a request for a certificate with these host names, in PEM; ValueError for one that is none."""
    hosts = [_host(name) for name in names]
    builder = x509.CertificateSigningRequestBuilder().subject_name(_subject(hosts))
    builder = builder.add_extension(_alternatives(hosts), critical=False)
    return builder.sign(key, _hash(key)).public_bytes(Encoding.PEM)


def self_signed(key: Key, names: Sequence[str], days: int, now: float) -> bytes:
    """Return a certificate that the key signs for itself, in PEM; ``now`` in seconds of the epoch."""
    hosts = [_host(name) for name in names]
    start = dt.datetime.fromtimestamp(now, dt.UTC) - dt.timedelta(hours=1)
    usages = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(_subject(hosts))
        .issuer_name(_subject(hosts))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + dt.timedelta(days=days, hours=1))
        .add_extension(_alternatives(hosts), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usages, critical=False)
        .sign(key, _hash(key))
    )
    return certificate.public_bytes(Encoding.PEM)


def tlsa(pem: bytes, *, usage: int = 3, selector: int = 1, matching: int = 1) -> str:
    """Return the data of the TLSA record for the first certificate, or else the key, of a text in PEM.

    ValueError when there is neither, or when the selector wants what is not there.
    """
    certificate = first_certificate(pem)
    if selector == 0:
        if certificate is None:
            raise ValueError("selector 0 is about a certificate, and there is only a key")
        data = certificate.public_bytes(Encoding.DER)
    else:
        public = certificate.public_key() if certificate is not None else _public(pem)
        data = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    digest = _HASHES[matching](data).digest() if matching else data
    return f"{usage} {selector} {matching} {digest.hex()}"


def first_certificate(pem: bytes) -> x509.Certificate | None:
    """Return the first certificate of a text in PEM, None when it has none; ValueError if it is broken."""
    if b"-----BEGIN CERTIFICATE-----" not in pem:
        return None
    return x509.load_pem_x509_certificates(pem)[0]


def host_names(certificate: x509.Certificate) -> list[str]:
    """Return the DNS names that a certificate is for."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except (x509.ExtensionNotFound, ValueError):
        return []
    return found.value.get_values_for_type(x509.DNSName)


def write_private(path: str, content: bytes) -> None:
    """Write a new file that only its owner may read; FileExistsError if it is there."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _public(pem: bytes) -> PublicKeyTypes:
    if b"PRIVATE KEY-----" in pem:
        return read_key(pem).public_key()
    try:
        return serialization.load_pem_public_key(pem)
    except Exception as error:
        raise ValueError("neither a certificate nor a key in PEM") from error


def _host(name: str) -> str:
    found = ascii_name(name.rstrip("."))
    if found is None or not is_hostname(found.removeprefix("*.")):
        raise ValueError(f"{name}: not a host name")
    return found


def _subject(hosts: Sequence[str]) -> x509.Name:
    # What does not fit is in the alternative names all the same, and only those count (RFC 9525 2).
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hosts[0][:_LONGEST_NAME])])


def _alternatives(hosts: Sequence[str]) -> x509.SubjectAlternativeName:
    return x509.SubjectAlternativeName([x509.DNSName(host) for host in dict.fromkeys(hosts)])


def _hash(key: Key) -> hashes.SHA256 | None:
    return None if isinstance(key, ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey) else hashes.SHA256()
