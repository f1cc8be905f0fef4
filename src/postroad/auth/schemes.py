"""Stored passwords in Dovecot's form, ``{SCHEME}hash`` or ``{SCHEME.ENCODING}hash``.

``read`` takes the text apart, ``verify`` and ``make`` do the work: some of it takes a tenth of a second
of CPU on purpose, so they belong on a thread.  No error has a hash or a password in it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from postroad.auth.libcrypt import crypt
from postroad.auth.md5state import Contexts
from postroad.proto.sasl.server_scram import HASHES, ScramKeys

_FORM = re.compile(r"\{([A-Za-z0-9_+-]+)(?:\.([A-Za-z0-9]+))?\}")
_ENCODINGS = {"": "", "B64": "b64", "BASE64": "b64", "HEX": "hex"}
#: The mark of an account that ``postroad user lock`` has shut.
LOCKED = "{LOCKED}"


@dataclass(frozen=True, slots=True)
class Stored:
    """A stored password.  ``scheme`` is in upper case; ``text`` is what stands behind it."""

    scheme: str
    encoding: str  # of a digest: "", "b64" or "hex"
    text: str = field(repr=False)

    @property
    def locked(self) -> bool:
        """Return whether no password opens this account."""
        return self.scheme == "LOCKED" or (self.scheme == "CRYPT" and self.text[:1] in ("!", "*", ""))


def read(value: str) -> Stored:
    """Read a stored password; one without a scheme is CRYPT, as in Dovecot's passwd-file.

    ValueError for a scheme that is not known, and for what its encoding does not allow.
    """
    match = _FORM.match(value)
    if match is None:
        return Stored("CRYPT", "", value)
    scheme = _ALIASES.get(match[1].upper(), match[1].upper())
    encoding = _ENCODINGS.get((match[2] or "").upper())
    if encoding is None or (scheme not in _VERIFY and scheme != "LOCKED"):
        raise ValueError(f"unknown password scheme {match[0]}")
    text = value[match.end() :]
    if encoding and scheme not in _DIGESTS:
        return Stored(scheme, "", _decoded(text, encoding).decode("utf-8", "surrogateescape"))
    return Stored(scheme, encoding, text)


def verify(stored: Stored, password: bytes) -> bool:
    """Return whether the password is the stored one.  ValueError for a hash that cannot be used."""
    if stored.locked:
        return False
    return _VERIFY[stored.scheme](stored, password)


def _decoded(text: str, encoding: str) -> bytes:
    try:
        return bytes.fromhex(text) if encoding == "hex" else base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        raise ValueError("a hash that is not what its encoding demands") from None


# --- one check for each sort


def _plain(stored: Stored, password: bytes) -> bool:
    return hmac.compare_digest(stored.text.encode("utf-8", "surrogateescape"), password)


def _crypt(stored: Stored, password: bytes) -> bool:
    return hmac.compare_digest(crypt(password, stored.text), stored.text)


def _argon2(stored: Stored, password: bytes) -> bool:
    from argon2 import exceptions, low_level  # noqa: PLC0415 - loads a library that few need

    kind = low_level.Type.I if stored.scheme == "ARGON2I" else low_level.Type.ID
    try:
        return low_level.verify_secret(stored.text.encode(), password, kind)
    except exceptions.VerifyMismatchError:
        return False
    except (exceptions.Argon2Error, exceptions.InvalidHashError, UnicodeEncodeError):
        raise ValueError("an Argon2 hash that cannot be used") from None


#: name -> (hashlib's name, whether a salt follows the digest)
_DIGESTS = {
    "SHA": ("sha1", False),
    "SHA256": ("sha256", False),
    "SHA512": ("sha512", False),
    "SSHA": ("sha1", True),
    "SSHA256": ("sha256", True),
    "SSHA512": ("sha512", True),
    "PLAIN-MD5": ("md5", False),
    "LDAP-MD5": ("md5", False),
    "SMD5": ("md5", True),
}


def _digest(stored: Stored, password: bytes) -> bool:
    name, salted = _DIGESTS[stored.scheme]
    size = hashlib.new(name, usedforsecurity=False).digest_size
    # Dovecot's PLAIN-MD5 is hexadecimal unless it says otherwise, and so is any of the right length.
    hexadecimal = stored.encoding == "hex" or (not stored.encoding and len(stored.text) == 2 * size)
    raw = _decoded(stored.text, "hex" if hexadecimal else "b64")
    digest, salt = raw[:size], raw[size:]
    if len(digest) != size or bool(salt) > salted:
        raise ValueError(f"a {stored.scheme} hash of the wrong length")
    found = hashlib.new(name, password + salt, usedforsecurity=False).digest()
    return hmac.compare_digest(found, digest)


_PBKDF2 = re.compile(r"\$1\$([^$]+)\$([0-9]{1,9})\$([0-9a-f]{40})")


def _pbkdf2(stored: Stored, password: bytes) -> bool:
    match = _PBKDF2.fullmatch(stored.text)
    if match is None or int(match[2]) < 1:
        raise ValueError("a PBKDF2 hash that cannot be used")
    found = hashlib.pbkdf2_hmac("sha1", password, match[1].encode(), int(match[2]))
    return hmac.compare_digest(found.hex(), match[3])


def scram_keys(stored: Stored) -> ScramKeys:
    """Return the keys of a stored SCRAM password.  ValueError for one that cannot be used."""
    try:
        rounds, salt, stored_key, server_key = stored.text.split(",")
        keys = ScramKeys(
            int(rounds), *(base64.b64decode(each, validate=True) for each in (salt, stored_key, server_key))
        )
    except ValueError:
        raise ValueError("SCRAM keys that cannot be used") from None
    size = hashlib.new(HASHES[stored.scheme]).digest_size
    if keys.iterations < 1 or not keys.salt or {len(keys.stored_key), len(keys.server_key)} != {size}:
        raise ValueError("SCRAM keys that cannot be used")
    return keys


def derive_scram(scheme: str, password: bytes, salt: bytes, iterations: int) -> ScramKeys:
    """Return the keys that SCRAM makes of a password (RFC 5802 3)."""
    name = HASHES[scheme]
    salted = hashlib.pbkdf2_hmac(name, password, salt, iterations)
    client_key = hmac.digest(salted, b"Client Key", name)
    return ScramKeys(
        iterations, salt, hashlib.new(name, client_key).digest(), hmac.digest(salted, b"Server Key", name)
    )


def _scram(stored: Stored, password: bytes) -> bool:
    keys = scram_keys(stored)
    found = derive_scram(stored.scheme, password, keys.salt, keys.iterations)
    return hmac.compare_digest(found.stored_key, keys.stored_key)


def _cram_md5(stored: Stored, password: bytes) -> bool:
    return Contexts.read(stored.text).same(Contexts.of(password))


_VERIFY: dict[str, Callable[[Stored, bytes], bool]] = {
    "PLAIN": _plain,
    "CRYPT": _crypt,
    "ARGON2I": _argon2,
    "ARGON2ID": _argon2,
    "PBKDF2": _pbkdf2,
    "CRAM-MD5": _cram_md5,
    **dict.fromkeys(_DIGESTS, _digest),
    **dict.fromkeys(HASHES, _scram),
}
_ALIASES = {
    "PLAINTEXT": "PLAIN",
    "CLEAR": "PLAIN",
    "CLEARTEXT": "PLAIN",
    **dict.fromkeys(
        ("SHA512-CRYPT", "SHA256-CRYPT", "MD5-CRYPT", "MD5", "BLF-CRYPT", "DES-CRYPT", "YESCRYPT"), "CRYPT"
    ),
    "SHA1": "SHA",
    "HMAC-MD5": "CRAM-MD5",
}

# --- new ones


def _make_sha512_crypt(password: bytes) -> str:
    return crypt(password, "$6$rounds=20000$" + _salt(16))


def _make_argon2id(password: bytes) -> str:
    from argon2 import PasswordHasher  # noqa: PLC0415 - loads a library that few need

    # One lane and 19 MiB: about 30 ms, and a worker that checks several at once stays small.
    return PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1).hash(password)


def _make_scram(scheme: str) -> Callable[[bytes], str]:
    def make(password: bytes) -> str:
        keys = derive_scram(scheme, password, os.urandom(16), 4096)
        parts = (base64.b64encode(each).decode() for each in (keys.salt, keys.stored_key, keys.server_key))
        return f"{keys.iterations}," + ",".join(parts)

    return make


_ALPHABET = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def _salt(length: int) -> str:
    return "".join(_ALPHABET[byte & 63] for byte in os.urandom(length))


#: The schemes in which new passwords can be written; the first is the default.
MAKE: dict[str, Callable[[bytes], str]] = {
    "ARGON2ID": _make_argon2id,
    "SHA512-CRYPT": _make_sha512_crypt,
    "BLF-CRYPT": lambda password: crypt(password, "$2y$10$" + _salt(22)),
    "SCRAM-SHA-256": _make_scram("SCRAM-SHA-256"),
    "SCRAM-SHA-1": _make_scram("SCRAM-SHA-1"),
    "CRAM-MD5": lambda password: Contexts.of(password).show(),
    "PLAIN": lambda password: password.decode(),
}


def make(scheme: str, password: bytes) -> str:
    """Return a new ``{SCHEME}hash``.  ValueError for a scheme that new passwords may not have."""
    maker = MAKE.get(scheme.upper())
    if maker is None:
        raise ValueError(f"{scheme}: expected one of {', '.join(MAKE)}")
    return f"{{{scheme.upper()}}}{maker(password)}"
