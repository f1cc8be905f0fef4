"""What is known of users: their passwords in a table, asked for by the mechanisms that need them."""

from __future__ import annotations

import hashlib
import hmac
import os
from functools import cache, partial
from pathlib import Path
from typing import Protocol

from postroad.auth.accounts import Accounts, AuthUnavailable
from postroad.auth.md5state import Contexts
from postroad.auth.schemes import Stored, derive_scram, scram_keys
from postroad.auth.verifier import Verifier, Workshop
from postroad.proto.sasl.common import saslprep
from postroad.proto.sasl.server_cram import Digester
from postroad.proto.sasl.server_scram import ScramKeys

_ITERATIONS = 4096  # RFC 7677 4


class Passwords(Protocol):
    """Who knows passwords.  AuthUnavailable or TableUnavailable for "could not look"."""

    secrets: bool  # whether ``scram`` and ``cram`` can be asked

    async def check(self, username: str, password: str, address: str) -> bool:
        """Return whether the password is the user's."""
        ...

    async def scram(self, username: str, scheme: str, address: str) -> ScramKeys:
        """Return a user's keys; for one without, keys that fit no password and look like true ones."""
        ...

    async def cram(self, username: str, address: str) -> Digester:
        """Return what computes a user's digests; for one without, digests that nobody has."""
        ...


class StoredPasswords:
    """Passwords that ``Accounts`` find."""

    secrets = True

    def __init__(self, accounts: Accounts, verifier: Verifier, workshop: Workshop) -> None:
        self._accounts = accounts
        self._workshop = workshop
        self.verifier = verifier

    async def check(self, username: str, password: str, address: str) -> bool:
        """Return whether the password is the user's, as it was typed or in the form of SASLprep."""
        stored = await self._accounts.find(username, address)
        sample = self._accounts.sample()
        if await self.verifier.check(username, password, stored, sample):
            return True
        prepared = _prepared(password)
        return prepared != password and await self.verifier.check(username, prepared, stored, sample)

    async def scram(self, username: str, scheme: str, address: str) -> ScramKeys:
        """Return a user's SCRAM keys, made anew where the password itself is stored."""
        stored = await self._accounts.find(username, address)
        try:
            if stored is not None and stored.scheme == scheme:
                return scram_keys(stored)
        except ValueError as error:
            raise AuthUnavailable(f"the password of {username} is stored as {error}") from None
        salt = hmac.digest(_machine_key(), f"{scheme} {username}".encode(), "sha256")[:16]
        if stored is not None and stored.scheme == "PLAIN":
            password = _prepared(stored.text).encode("utf-8", "surrogateescape")
            return await self._workshop.run(partial(derive_scram, scheme, password, salt, _ITERATIONS))
        return self._fake(scheme, salt)

    def _fake(self, scheme: str, salt: bytes) -> ScramKeys:
        """Return keys for a user who has none.  They look like those of the others."""
        sample = self._accounts.sample()
        like = ScramKeys(_ITERATIONS, salt, b"", b"")
        if sample is not None and sample.scheme == scheme:
            like = scram_keys(sample)
        size = hashlib.new("sha1" if scheme == "SCRAM-SHA-1" else "sha256", usedforsecurity=False).digest_size
        salt = hashlib.shake_256(salt).digest(len(like.salt)) if len(like.salt) != len(salt) else salt
        return ScramKeys(like.iterations, salt, os.urandom(size), os.urandom(size))

    async def cram(self, username: str, address: str) -> Digester:
        """Return what computes a user's digests."""
        stored = await self._accounts.find(username, address)
        if stored is None:
            stored = Stored("LOCKED", "", "")
        if stored.scheme == "PLAIN":
            return Contexts.of(stored.text.encode("utf-8", "surrogateescape")).digest
        if stored.scheme == "CRAM-MD5":
            try:
                return Contexts.read(stored.text).digest
            except ValueError as error:
                raise AuthUnavailable(f"the password of {username} is stored as {error}") from None
        return Contexts.of(os.urandom(32)).digest


def _prepared(password: str) -> str:
    """Return a password in the form of SASLprep; as it is where that does not allow it."""
    try:
        return saslprep(password)
    except ValueError:
        return password


@cache
def _machine_key() -> bytes:
    """Return a key that stays the same as long as this machine is itself, and that clients do not know.

    A salt that changes tells that its user does not exist; so does one that differs between workers.
    """
    try:
        identity = Path("/etc/machine-id").read_bytes().strip()
    except OSError:
        identity = b""
    return hmac.digest(identity or os.urandom(32), b"postroad: salts of users who are not there", "sha256")
