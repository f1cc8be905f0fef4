"""Bytes of a client as the log has them."""

from __future__ import annotations


def escaped(data: bytes) -> str:
    """Return bytes as the log has them: what cannot be printed is escaped as in C."""
    return "".join(_ESCAPES[each] for each in data)


def _escape(code: int) -> str:
    named = {7: "\\a", 8: "\\b", 9: "\\t", 10: "\\n", 11: "\\v", 12: "\\f", 13: "\\r", 92: "\\\\"}
    return named.get(code) or (chr(code) if 32 <= code < 127 else f"\\{code:03o}")


_ESCAPES = [_escape(code) for code in range(256)]
