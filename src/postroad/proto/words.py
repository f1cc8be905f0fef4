"""A command line cut into its words, quotes and angle brackets kept together."""

from __future__ import annotations

import re

_BLANKS = re.compile(r"[ \t\r\n\f\v]*")
_PLAIN = re.compile(r'[^ \t\r\n\f\v<"\\]*')
_QUOTED = re.compile(r'[^\\<>"]*')
_PREFIX = re.compile(r"(from:|to:)", re.IGNORECASE)


class Word(str):
    """A word; ``whole`` is False when one of its quotes is not closed."""

    __slots__ = ("whole",)
    whole: bool

    def __new__(cls, text: str, whole: bool = True) -> Word:  # noqa: PYI034 - a str subclass
        """Make a word."""
        word = super().__new__(cls, text)
        word.whole = whole
        return word


def split(line: str) -> list[Word]:
    """Cut at blanks.  ``FROM:`` and ``TO:`` are words of their own, whatever follows them."""
    words: list[Word] = []
    at = 0
    while True:
        blanks = _BLANKS.match(line, at)
        at = blanks.end() if blanks else at
        if at >= len(line):
            return words
        prefix = _PREFIX.match(line, at) if len(words) == 1 else None
        if prefix is not None:
            words.append(Word(prefix[0]))
            at = prefix.end()
            continue
        end, whole = _word(line, at)
        words.append(Word(line[at:end], whole))
        at = end


def _word(line: str, at: int) -> tuple[int, bool]:
    """Return where the word ends that begins here, and whether its quotes are closed."""
    while at < len(line):
        plain = _PLAIN.match(line, at)
        at = plain.end() if plain else at
        if at >= len(line):
            break
        char = line[at]
        if char == "\\":
            at += 2
        elif char in '<"':
            at, whole = _quoted(line, at + 1, ">" if char == "<" else '"')
            if not whole:
                return at, False
        else:
            break
    return min(at, len(line)), True


def _quoted(line: str, at: int, wanted: str) -> tuple[int, bool]:
    """Read until the closing quote; quotes nest."""
    stack = [wanted]
    while at < len(line):
        plain = _QUOTED.match(line, at)
        at = plain.end() if plain else at
        if at >= len(line):
            break
        char = line[at]
        at += 1
        if char == "\\":
            at += 1
        elif char == stack[-1]:
            stack.pop()
            if not stack:
                return at, True
        elif char in '"<':
            stack.append(">" if char == "<" else '"')
    return min(at, len(line)), False
