"""xtext, the coding of ENVID and ORCPT (RFC 3461 4), and its UTF-8 sibling (RFC 6533 3)."""

from __future__ import annotations

import re

_HEX = re.compile(r"\+(..?)?")
_UNICODE = re.compile(r"\\(x\{([0-9A-Fa-f]{1,6})\})?")
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_ENCODED = re.compile(r"[^!-*,-<>-~]")


def decode(text: str) -> str:
    """Decode xtext.  ValueError for a bad code or when the result has a control character.

    Controls are refused because the text goes into logs and delivery status notices.
    """
    if "+" in text:
        raw = _HEX.sub(_byte, text).encode("latin-1", "surrogateescape") if text.isascii() else None
        text = raw.decode("utf-8") if raw is not None else _HEX.sub(_byte, text)
    if _UNPRINTABLE.search(text):
        raise ValueError("a control character")
    return text


def _byte(match: re.Match[str]) -> str:
    digits = match[1] or ""
    if len(digits) != 2 or not all(digit in "0123456789ABCDEFabcdef" for digit in digits):
        raise ValueError("a + that two hexadecimal digits do not follow")
    return chr(int(digits, 16))


def decode_unicode(text: str) -> str:
    r"""Decode ``\x{HEX}``, as ORCPT of type utf-8 has it; a lone backslash stands for itself."""

    def char(match: re.Match[str]) -> str:
        return chr(int(match[2], 16)) if match[1] else "\\"

    decoded = _UNICODE.sub(char, text)  # chr raises ValueError over 10FFFF
    if _UNPRINTABLE.search(decoded):
        raise ValueError("a control character")
    return decoded


def encode(text: str) -> str:
    """Encode as xtext: printable ASCII but ``+`` and ``=`` stays."""
    return _ENCODED.sub(lambda match: "".join(f"+{byte:02X}" for byte in match[0].encode()), text)
