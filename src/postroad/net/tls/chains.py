"""Keys and certificates in PEM: read, checked, put into a context."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass

from OpenSSL import SSL, crypto

from postroad.net.tls.errors import TlsError, reason_of

_BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----\s.*?-----END \1-----", re.DOTALL)
_KEYS = (b"PRIVATE KEY", b"RSA PRIVATE KEY", b"EC PRIVATE KEY", b"DSA PRIVATE KEY", b"ENCRYPTED PRIVATE KEY")
_CERTIFICATES = (b"CERTIFICATE", b"X509 CERTIFICATE", b"TRUSTED CERTIFICATE")


@dataclass(frozen=True, slots=True)
class Chain:
    """A private key, and the PEM text of its certificate and the authorities above it.

    ``name`` is the file, or what else an operator knows it by.
    """

    name: str
    key: crypto.PKey
    certificates: bytes

    def put_into(self, context: SSL.Context) -> None:
        """Let a context serve it, beside those with keys of other sorts.  TlsError if they don't fit."""
        try:
            with _named(self.certificates) as path:
                context.use_certificate_chain_file(path)
            context.use_privatekey(self.key)
            context.check_privatekey()
        except SSL.Error as error:
            raise TlsError(f"{self.name}: {reason_of(error)}") from None


def read_chains(name: str, pem: bytes) -> list[Chain]:
    """Return the chains of a file of smtpd_tls_chain_files: each key, then its certificates.

    TlsError names the file, and what is wrong with it.
    """
    chains: list[Chain] = []
    key: crypto.PKey | None = None
    certificates: list[bytes] = []
    for kind, block in _blocks(pem):
        if kind in _KEYS:
            if key is not None:
                chains.append(_chain(name, key, certificates))
            elif certificates:
                raise TlsError(f"{name}: a certificate stands before the first private key")
            key, certificates = _key(name, block), []
        elif kind in _CERTIFICATES:
            certificates.append(block)
    if key is None:
        raise TlsError(
            f"{name}: no private key" if certificates else f"{name}: no private key and no certificate"
        )
    chains.append(_chain(name, key, certificates))
    return chains


def read_pair(certificate_name: str, certificate: bytes, key_name: str, key: bytes) -> Chain:
    """Return the chain of a certificate file and a key file, which may be the same."""
    keys = [block for kind, block in _blocks(key) if kind in _KEYS]
    if not keys:
        raise TlsError(f"{key_name}: no private key")
    certificates = [block for kind, block in _blocks(certificate) if kind in _CERTIFICATES]
    if not certificates:
        raise TlsError(f"{certificate_name}: no certificate")
    name = certificate_name if certificate_name == key_name else f"{certificate_name}, {key_name}"
    return Chain(name, _key(key_name, keys[0]), b"\n".join(certificates) + b"\n")


def add_authorities(context: SSL.Context, name: str, pem: bytes) -> None:
    """Trust the authorities of a file, and name them to peers whose certificate is asked for."""
    found = [block for kind, block in _blocks(pem) if kind in _CERTIFICATES]
    if not found:
        raise TlsError(f"{name}: no certificate")
    store = context.get_cert_store()
    try:
        for block in found:
            authority = crypto.load_certificate(crypto.FILETYPE_PEM, block)
            if store is not None:
                store.add_cert(authority)
            context.add_client_ca(authority)
    except crypto.Error as error:
        raise TlsError(f"{name}: {reason_of(error)}") from None


def _blocks(pem: bytes) -> Iterable[tuple[bytes, bytes]]:
    for match in _BLOCK.finditer(pem):
        yield match[1], match[0]


def _chain(name: str, key: crypto.PKey, certificates: list[bytes]) -> Chain:
    if not certificates:
        raise TlsError(f"{name}: no certificate for a private key")
    return Chain(name, key, b"\n".join(certificates) + b"\n")


def _key(name: str, pem: bytes) -> crypto.PKey:
    if b"ENCRYPTED" in pem:
        raise TlsError(f"{name}: the private key is protected by a password")
    try:
        return crypto.load_privatekey(crypto.FILETYPE_PEM, pem, passphrase=b"")
    except (crypto.Error, ValueError) as error:
        raise TlsError(f"{name}: {reason_of(error)}") from None


class _named:  # noqa: N801 - used as a function
    """A path by which OpenSSL can read bytes, for a while: it takes chains from files only."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def __enter__(self) -> str:
        if hasattr(os, "memfd_create"):
            self._fd = os.memfd_create("postroad-chain", os.MFD_CLOEXEC)
            self._path = f"/proc/self/fd/{self._fd}"
        else:
            self._fd, self._path = tempfile.mkstemp()
        with os.fdopen(os.dup(self._fd), "wb") as file:
            file.write(self._data)
        return self._path

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)
        if not self._path.startswith("/proc/"):
            os.unlink(self._path)  # noqa: PTH108
