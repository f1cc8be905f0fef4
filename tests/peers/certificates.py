"""A small certificate authority, and the certificates that tests need: good ones and the usual bad ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from postroad.base.clock import SystemClock

_Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate with its key."""

    certificate: x509.Certificate
    key: _Key
    issuers: tuple[x509.Certificate, ...] = ()

    @property
    def certificate_pem(self) -> bytes:
        """The certificate, and behind it those that a client has to be shown as well."""
        chain = (self.certificate, *self.issuers)
        return b"".join(each.public_bytes(serialization.Encoding.PEM) for each in chain)

    @property
    def key_pem(self) -> bytes:
        return self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)

    def fingerprint(self, digest: hashes.HashAlgorithm | None = None) -> str:
        """Return the certificate's fingerprint as Postfix writes it."""
        return self.certificate.fingerprint(digest or hashes.SHA256()).hex(":").upper()

    def key_fingerprint(self, digest: hashes.HashAlgorithm | None = None) -> str:
        """Return the fingerprint of the public key as Postfix writes it."""
        made = hashes.Hash(digest or hashes.SHA256())
        made.update(self.public_key_der)
        return made.finalize().hex(":").upper()

    @property
    def public_key_der(self) -> bytes:
        """The SubjectPublicKeyInfo."""
        return self.key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def write(self, folder: Path, name: str) -> tuple[Path, Path]:
        """Write ``name.pem`` (the chain) and ``name.key``; returns the two paths."""
        chain, key = folder / f"{name}.pem", folder / f"{name}.key"
        chain.write_bytes(self.certificate_pem)
        chain.chmod(0o644)
        key.touch(0o600)
        key.write_bytes(self.key_pem)
        return chain, key


def make_key(kind: str = "ecdsa") -> _Key:
    """Return a new key: ``ecdsa`` or ``rsa``."""
    if kind == "rsa":
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return ec.generate_private_key(ec.SECP256R1())


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _now() -> datetime:
    return datetime.fromtimestamp(SystemClock().now(), UTC)


class Authority:
    """Signs certificates.  ``above`` makes it one that another authority has signed."""

    def __init__(
        self, name: str = "Test authority", kind: str = "ecdsa", above: Authority | None = None
    ) -> None:
        self.key = make_key(kind)
        self.above = above
        issuer, signer = (above.certificate.subject, above.key) if above else (_name(name), self.key)
        now = _now()
        usage = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
        self.certificate = (
            x509.CertificateBuilder(issuer, _name(name), self.key.public_key(), x509.random_serial_number())
            .not_valid_before(now - 10 * _DAY)
            .not_valid_after(now + 100 * _DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), critical=False)
            .sign(signer, hashes.SHA256())
        )

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def issue(self, *names: str, kind: str = "ecdsa", expired: bool = False, common: str = "") -> Pair:
        """Return a certificate for these DNS names; ``common`` is the subject's name, else the first."""
        key = make_key(kind)
        issuers = (self.certificate,) if self.above else ()
        made = _certificate(key, names, common, expired=expired, issuer=self.certificate, signer=self.key)
        return Pair(made, key, issuers)


def self_signed(*names: str, kind: str = "ecdsa", expired: bool = False, common: str = "") -> Pair:
    """Return a certificate that nobody else vouches for."""
    key = make_key(kind)
    return Pair(_certificate(key, names, common, expired=expired, issuer=None, signer=key), key)


def _certificate(key: _Key, names: Sequence[str], common: str, *, expired: bool, issuer: x509.Certificate | None, signer: _Key) -> x509.Certificate:  # fmt: skip
    subject = _name(common or names[0])
    end = _now() + (-_DAY if expired else 50 * _DAY)
    alternatives = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
    usages = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
    above = issuer.subject if issuer else subject
    return (
        x509.CertificateBuilder(above, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(end - 55 * _DAY)
        .not_valid_after(end)
        .add_extension(alternatives, critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usages, critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
        .sign(signer, hashes.SHA256())
    )
