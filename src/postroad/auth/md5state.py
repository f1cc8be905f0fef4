"""MD5 from the middle (RFC 1321): Dovecot's {CRAM-MD5} keeps the states behind a password's two pads.

hashlib gives no way into a state, and none out of one.  A digest takes two blocks here, some 100 µs.
"""

from __future__ import annotations

import hashlib
import hmac
import math
import struct

_START = (0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476)
_SINES = [int(abs(math.sin(i + 1)) * 2**32) & 0xFFFFFFFF for i in range(64)]
_SHIFTS = ((7, 12, 17, 22), (5, 9, 14, 20), (4, 11, 16, 23), (6, 10, 15, 21))

State = tuple[int, int, int, int]


def _block(state: State, block: bytes) -> State:
    """Return the state after a block of 64 bytes."""
    words = struct.unpack("<16I", block)
    a, b, c, d = state
    for i in range(64):
        turn = i >> 4
        if turn == 0:
            mixed, at = (b & c) | (~b & d), i
        elif turn == 1:
            mixed, at = (d & b) | (~d & c), (5 * i + 1) & 15
        elif turn == 2:
            mixed, at = b ^ c ^ d, (3 * i + 5) & 15
        else:
            mixed, at = c ^ (b | (~d & 0xFFFFFFFF)), (7 * i) & 15
        total = (a + mixed + _SINES[i] + words[at]) & 0xFFFFFFFF
        by = _SHIFTS[turn][i & 3]
        a, d, c, b = d, c, b, (b + (total << by | total >> (32 - by))) & 0xFFFFFFFF
    return tuple((x + y) & 0xFFFFFFFF for x, y in zip(state, (a, b, c, d), strict=True))  # type: ignore[return-value]


def _finish(state: State, text: bytes) -> bytes:
    """Return the digest of a first block, whose state this is, with a text behind it."""
    padded = text + b"\x80" + bytes(-(len(text) + 9) % 64) + struct.pack("<Q", (64 + len(text)) * 8)
    for at in range(0, len(padded), 64):
        state = _block(state, padded[at : at + 64])
    return struct.pack("<4I", *state)


class Contexts:
    """The two states of HMAC-MD5 (RFC 2104) after the key."""

    __slots__ = ("_inner", "_outer")

    def __init__(self, inner: State, outer: State) -> None:
        self._inner = inner
        self._outer = outer

    @classmethod
    def read(cls, text: str) -> Contexts:
        """Read Dovecot's form: 64 hexadecimal digits, the outer state first.  ValueError."""
        try:
            raw = bytes.fromhex(text)
            outer, inner = struct.unpack("<4I", raw[:16]), struct.unpack("<4I", raw[16:])
        except (ValueError, struct.error):
            raise ValueError("CRAM-MD5 contexts that cannot be used") from None
        return cls(inner, outer)

    @classmethod
    def of(cls, password: bytes) -> Contexts:
        """Return those of a password."""
        if len(password) > 64:
            password = hashlib.md5(password, usedforsecurity=False).digest()
        key = password.ljust(64, b"\0")
        pads = (bytes(byte ^ pad for byte in key) for pad in (0x36, 0x5C))
        inner, outer = (_block(_START, pad) for pad in pads)
        return cls(inner, outer)

    def show(self) -> str:
        """Return Dovecot's form."""
        return struct.pack("<8I", *self._outer, *self._inner).hex()

    def digest(self, text: bytes) -> str:
        """Return HMAC-MD5 of a text, in hexadecimal digits."""
        return _finish(self._outer, _finish(self._inner, text)).hex()

    def same(self, other: Contexts) -> bool:
        """Return whether these are of the same password."""
        return hmac.compare_digest(self.show(), other.show())
