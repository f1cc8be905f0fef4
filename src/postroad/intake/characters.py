"""Characters that are stripped from messages, or for which a message is refused."""

from __future__ import annotations

import re

_ESCAPE = re.compile(r"\\(?:([0-7]{1,3})|(.))|(.)", re.DOTALL)
_NAMED = {"a": 7, "b": 8, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11}


def character_set(text: str) -> bytes:
    r"""Return the bytes that a parameter such as ``\0\033x`` names, without CR and LF.

    Line ends are never part of a line's text, so they are neither stripped nor refused.
    """
    found = bytearray()
    for octal, escaped, plain in _ESCAPE.findall(text):
        if octal:
            found.append(int(octal, 8) & 255)
        elif escaped:
            found += bytes([_NAMED[escaped]]) if escaped in _NAMED else escaped.encode()
        else:
            found += plain.encode()
    return bytes(found).translate(None, b"\r\n")
