"""SCRAM (RFC 5802, RFC 7677), the client's side, with channel binding (RFC 5929, RFC 9266).

The server gets no password, and proves that it knows what belongs to it.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import hmac
import re

from scramp.utils import ScramException, saslprep  # type: ignore[import-untyped]

from postroad.proto.sasl.client_values import Credentials, SaslError, check_challenge

#: RFC 7677 4.  A server that wants fewer rounds wants to try passwords.
FEWEST_ROUNDS = 4096
#: A quarter of a second of work; more only holds up whoever else this process serves.
MOST_ROUNDS = 600_000

_FIRST = re.compile(rb"r=([!-+\--~]+),s=([A-Za-z0-9+/=]+),i=([1-9][0-9]{0,9})(?:,.*)?", re.DOTALL)
_FINAL = re.compile(rb"([ve])=([^,]+)(?:,.*)?", re.DOTALL)


def prepared(value: str) -> bytes:
    """Return a name or password as RFC 4013 wants it; one that it does not allow, as it is."""
    if not value.isascii():
        # What it does not allow, the server has in some form; this one is likelier than none.
        with contextlib.suppress(ScramException):
            value = saslprep(value)
    return value.encode("utf-8", "surrogateescape")


class Scram:
    """``name`` is SCRAM-SHA-1 or SCRAM-SHA-256, perhaps with -PLUS.

    ``binding`` is type and data of the channel; with -PLUS it is used, and without it ``knows`` says
    that this client could have, had the server offered it (RFC 5802 6).  ``nonce`` is printable ASCII
    without commas, never the same twice.
    """

    def __init__(self, name: str, credentials: Credentials, nonce: str, binding: tuple[str, bytes] = ("", b""), *, knows: bool = False) -> None:  # fmt: skip  # noqa: E501
        self.name = name
        plus = name.endswith("-PLUS")
        self._hash = "sha256" if "256" in name else "sha1"
        self._password: bytes | None = prepared(credentials.password)
        kind, data = binding
        flag = f"p={kind}" if plus else "y" if knows else "n"
        authzid = f"a={_escaped(credentials.authzid).decode()}" if credentials.authzid else ""
        self._gs2 = f"{flag},{authzid},".encode()
        self._bound = self._gs2 + (data if plus else b"")
        self._nonce = nonce.encode("ascii")
        self._first = b"n=" + _escaped(credentials.username) + b",r=" + self._nonce
        self._expected: bytes | None = None  # the server's signature
        self._step = 0

    def initial(self) -> bytes | None:
        """Return the client-first message."""
        self._step = 1
        return self._gs2 + self._first

    def respond(self, challenge: bytes) -> bytes:
        """Answer server-first with the proof; server-final, when it is true, with nothing."""
        check_challenge(challenge)
        self._step += 1
        if self._step == 1:  # the initial response was not taken
            return self.initial() or b""
        if self._step == 2:
            return self._prove(challenge)
        if self._step == 3:
            self._verify(challenge)
            return b""
        raise SaslError("bad protocol / cancel: the server asks for more than the mechanism has")

    def finished(self, final: bytes | None = None) -> None:
        """Make sure that the server has proved that it knows the password's keys."""
        if final and self._step == 2:
            self._step = 3
            self._verify(final)
        if self._step != 3 or self._expected is not None:
            raise SaslError("server failed mutual authentication step: it has not proved who it is")

    def _prove(self, challenge: bytes) -> bytes:
        match = _FIRST.fullmatch(challenge)
        if match is None:  # RFC 5802 5.1: m= is a demand that we do not know, and fails
            raise SaslError("bad protocol / cancel: malformed server-first message")
        nonce, salt64, rounds = match[1], match[2], int(match[3])
        if not nonce.startswith(self._nonce) or len(nonce) == len(self._nonce):
            raise SaslError("bad protocol / cancel: the server's nonce does not go on from ours")
        if not FEWEST_ROUNDS <= rounds <= MOST_ROUNDS:
            raise SaslError(f"bad protocol / cancel: the server wants {rounds} rounds")
        try:
            salt = base64.b64decode(salt64, validate=True)
        except binascii.Error:
            raise SaslError("bad protocol / cancel: malformed salt") from None
        password, self._password = self._password, None
        assert password is not None
        salted = hashlib.pbkdf2_hmac(self._hash, password, salt, rounds)
        final = b"c=" + base64.b64encode(self._bound) + b",r=" + nonce
        message = self._first + b"," + challenge + b"," + final
        key = self._mac(salted, b"Client Key")
        stored = hashlib.new(self._hash, key).digest()
        proof = bytes(a ^ b for a, b in zip(key, self._mac(stored, message), strict=True))
        self._expected = self._mac(self._mac(salted, b"Server Key"), message)
        return final + b",p=" + base64.b64encode(proof)

    def _verify(self, challenge: bytes) -> None:
        match = _FINAL.fullmatch(challenge)
        if match is None:
            raise SaslError("bad protocol / cancel: malformed server-final message")
        if match[1] == b"e":
            reason = "".join(c for c in match[2].decode("ascii", "replace")[:60] if c.isprintable())
            raise SaslError(f"authentication failure: {reason}")
        try:
            signature = base64.b64decode(match[2], validate=True)
        except binascii.Error:
            signature = b""
        if self._expected is None or not hmac.compare_digest(signature, self._expected):
            raise SaslError("server failed mutual authentication step: its signature is wrong")
        self._expected = None

    def _mac(self, key: bytes, message: bytes) -> bytes:
        return hmac.new(key, message, self._hash).digest()


def _escaped(name: str) -> bytes:
    """Return a name as saslname of RFC 5802 7."""
    return prepared(name).replace(b"=", b"=3D").replace(b",", b"=2C")
