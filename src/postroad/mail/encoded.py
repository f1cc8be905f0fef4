"""Names of people in header fields: quoted where RFC 5322 demands it, encoded where RFC 2047 does."""

from __future__ import annotations

import re
from base64 import b64encode

_ATOMS = re.compile(r"[A-Za-z0-9#$&'*+/=?^_`{|}~-]+(?: [A-Za-z0-9#$&'*+/=?^_`{|}~-]+)*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
_ESCAPE = re.compile(r'["\\]')
_BYTES = 45  # of text in one encoded word: 60 characters of base64, 72 with what is around them (RFC 2047 2)


def phrase(name: str) -> str:
    """Return a person's name as a display name; "" stays "".

    Control characters, line ends among them, become blanks: nobody's name adds a header field.
    """
    clean = _CONTROL.sub(" ", name).strip()
    if not clean or (clean.isascii() and _ATOMS.fullmatch(clean) and "=?" not in clean):
        return clean
    if clean.isascii():
        return '"' + _ESCAPE.sub(r"\\\g<0>", clean) + '"'
    return encoded_words(clean)


def encoded_words(text: str) -> str:
    """Return text as UTF-8 in RFC 2047's base64 form, folded; no character is cut in two."""
    words: list[bytes] = [b""]
    for char in text:
        octets = char.encode("utf-8", "replace")
        if len(words[-1]) + len(octets) > _BYTES:
            words.append(b"")
        words[-1] += octets
    return "\r\n\t".join(f"=?utf-8?B?{b64encode(word).decode()}?=" for word in words)
