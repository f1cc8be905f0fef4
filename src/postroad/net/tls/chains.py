"""Keys and certificates in PEM: read, checked, put into a context."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from OpenSSL import SSL, crypto

from postroad.net.tls.errors import TlsError, reason_of

_BLOCK: Final = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----\s.*?-----END \1-----", re.DOTALL)
_KEYS: Final = frozenset(
    {b"PRIVATE KEY", b"RSA PRIVATE KEY", b"EC PRIVATE KEY", b"DSA PRIVATE KEY", b"ENCRYPTED PRIVATE KEY"}
)
_CERTIFICATES: Final = frozenset({b"CERTIFICATE", b"X509 CERTIFICATE", b"TRUSTED CERTIFICATE"})

#: A file's name and its content.
Named = tuple[str, bytes]


@dataclass(frozen=True, slots=True)
class Chain:
    """A private key, and the PEM text of its certificate and of the authorities above it.

    ``name`` is the file, or what else an operator knows it by.
    """

    name: str
    key: Any  # one of cryptography's private keys
    certificates: bytes

    def put_into(self, context: SSL.Context) -> None:
        """Let a context serve it, beside those with keys of other sorts.  TlsError if they don't fit."""
        try:
            with file_of(self.certificates) as path:
                context.use_certificate_chain_file(path)
            context.use_privatekey(self.key)
            context.check_privatekey()
        except (SSL.Error, TypeError) as error:
            raise TlsError(f"{self.name}: {reason_of(error)}") from None

    @property
    def certificate(self) -> x509.Certificate:
        """The certificate of the key."""
        return x509.load_pem_x509_certificate(self.certificates)


def read_chains(files: Sequence[Named]) -> list[Chain]:
    """Return the chains of the files of smtpd_tls_chain_files: each key, then its certificates.

    The files count as one: a key may be in the file before that of its certificate.  TlsError names the
    file, and what is wrong with it.
    """
    chains: list[Chain] = []
    names: list[str] = []
    key: Any = None
    certificates: list[bytes] = []
    for name, pem in files:
        found = False
        for kind, block in _blocks(pem):
            if kind in _KEYS:
                if key is not None:
                    chains.append(_chain(names, key, certificates))
                key, certificates, names = _key(name, block), [], []
            elif kind in _CERTIFICATES:
                if key is None:
                    raise TlsError(f"{name}: a certificate stands before the first private key")
                certificates.append(block)
            else:
                continue
            found = True
            if name not in names:
                names.append(name)
        if not found:
            raise TlsError(f"{name}: no private key and no certificate in PEM")
    if key is not None:
        chains.append(_chain(names, key, certificates))
    return _one_of_each(chains)


def read_pair(certificate: Named, key: Named) -> Chain:
    """Return the chain of a certificate file and a key file, which may be the same."""
    keys = [block for kind, block in _blocks(key[1]) if kind in _KEYS]
    if not keys:
        raise TlsError(f"{key[0]}: no private key in PEM")
    certificates = [block for kind, block in _blocks(certificate[1]) if kind in _CERTIFICATES]
    if not certificates:
        raise TlsError(f"{certificate[0]}: no certificate in PEM")
    return _chain(list(dict.fromkeys((certificate[0], key[0]))), _key(key[0], keys[0]), certificates)


def add_authorities(context: SSL.Context, authorities: Named) -> None:
    """Trust the authorities of a file, and name them to peers whose certificate is asked for."""
    store = context.get_cert_store()
    assert store is not None  # a context has one
    for ours, theirs in _authorities(*authorities):
        store.add_cert(ours)
        if theirs is not None:
            context.add_client_ca(theirs)


@lru_cache(maxsize=8)
def _authorities(name: str, pem: bytes) -> list[tuple[crypto.X509, x509.Certificate | None]]:
    """Return the certificates of a file, for OpenSSL and (if it can read them) as cryptography's."""
    found: list[tuple[crypto.X509, x509.Certificate | None]] = []
    try:
        for kind, block in _blocks(pem):
            if kind in _CERTIFICATES:
                ours = crypto.load_certificate(crypto.FILETYPE_PEM, block)
                try:
                    found.append((ours, x509.load_pem_x509_certificate(block)))
                except ValueError:  # OpenSSL takes what cryptography does not
                    found.append((ours, None))
    except crypto.Error as error:
        raise TlsError(f"{name}: {reason_of(error)}") from None
    if not found:
        raise TlsError(f"{name}: no certificate in PEM")
    return found


def _blocks(pem: bytes) -> Iterable[tuple[bytes, bytes]]:
    for match in _BLOCK.finditer(pem):
        yield match[1], match[0]


def _chain(names: list[str], key: crypto.PKey, certificates: list[bytes]) -> Chain:
    if not certificates:
        raise TlsError(f"{', '.join(names)}: no certificate behind a private key")
    if not _belong(key, certificates[0]):
        raise TlsError(f"{', '.join(names)}: the private key is not that of the certificate")
    return Chain(", ".join(names), key, b"\n".join(certificates) + b"\n")


def _belong(key: Any, certificate: bytes) -> bool:
    """Return whether the key is that of the certificate; what cannot be read OpenSSL has to judge."""
    try:
        theirs = x509.load_pem_x509_certificate(certificate).public_key()
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return True
    return bool(key.public_key() == theirs)


def _one_of_each(chains: list[Chain]) -> list[Chain]:
    """Return the chains; TlsError if two have keys of one sort, of which only one could be served."""
    sorts: dict[type, Chain] = {}
    for chain in chains:
        other = sorts.setdefault(type(chain.key), chain)
        if other is not chain:
            raise TlsError(f"{chain.name}: a second key of the same sort as that of {other.name}")
    return chains


def _key(name: str, pem: bytes) -> Any:
    if b"ENCRYPTED" in pem:
        raise TlsError(f"{name}: the private key is protected by a password")
    try:
        # To prove the primes of RSA again would cost more than all else here.
        return load_pem_private_key(pem, None, unsafe_skip_rsa_key_validation=True)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise TlsError(f"{name}: the private key cannot be read: damaged, or of an unknown sort") from None


@contextlib.contextmanager
def file_of(data: bytes) -> Iterator[str]:
    """Give a path by which OpenSSL can read bytes, for a while: some things it takes from files only."""
    if hasattr(os, "memfd_create") and Path("/proc/self/fd").is_dir():
        fd = os.memfd_create("postroad-tls", os.MFD_CLOEXEC)
        path = f"/proc/self/fd/{fd}"
    else:
        fd, path = tempfile.mkstemp()
    try:
        with os.fdopen(os.dup(fd), "wb") as file:
            file.write(data)
        yield path
    finally:
        os.close(fd)
        if not path.startswith("/proc/"):
            Path(path).unlink()
