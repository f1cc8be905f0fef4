"""What a stranger's words may bring into a text of ours: some characters, the others become ``_``."""

from __future__ import annotations

import re

_ESCAPE = re.compile(r"\\([0-7]{1,3}|.)", re.DOTALL)
_NAMED = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


class Censor:
    r"""Lets the characters of a list through, in which ``\t``, ``\40`` and the like are as in C."""

    __slots__ = ("_allowed",)

    def __init__(self, allowed: str) -> None:
        self._allowed = frozenset(_ESCAPE.sub(_plain, allowed))

    def censored(self, text: str) -> str:
        """Return the text with ``_`` for each character that is not allowed."""
        return "".join(char if char in self._allowed else "_" for char in text)


def _plain(found: re.Match[str]) -> str:
    code = found[1]
    return chr(int(code, 8) & 0xFF) if code[0] in "01234567" else _NAMED.get(code, code)
