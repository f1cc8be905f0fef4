"""POSIX regular expressions (regex(7), as the GNU library reads them) in Python's syntax.

Two differences remain: of alternatives Python takes the first that fits and POSIX the longest, which
matters only to what ``$1`` is; and a character here is one of Unicode, not a byte.
"""

from __future__ import annotations

import re

_CLASSES = {
    "alpha": "A-Za-z",
    "digit": "0-9",
    "alnum": "0-9A-Za-z",
    "upper": "A-Z",
    "lower": "a-z",
    "space": r" \t\n\r\f\v",
    "blank": r" \t",
    "punct": r"!-/:-@\[-`{-\x7e",
    "print": r"\x20-\x7e",
    "graph": r"\x21-\x7e",
    "cntrl": r"\x00-\x1f\x7f",
    "xdigit": "0-9A-Fa-f",
}
_PLACES = {"<": r"\b(?=\w)", ">": r"\b(?<=\w)", "`": r"\A", "'": r"\Z", "b": r"\b", "B": r"\B"}
_ESCAPES = {"w": r"\w", "W": r"\W", "s": r"\s", "S": r"\S"}
_INTERVAL = re.compile(r"\{([0-9]+,?[0-9]*|,[0-9]+)\}")
_BASIC_INTERVAL = re.compile(r"\{([0-9]+,?[0-9]*|,[0-9]+)\\\}")
_OPEN_BRACKET = "Unmatched [, [^, [:, [., or [="


class Translator:
    """One expression on its way; ``text`` is the result, ValueError says what is wrong with it.

    ``risky`` tells that matching may take a time out of all proportion to the text's length in an
    engine that goes back: a repeated group that itself repeats or chooses, or many repetitions.
    """

    def __init__(self, pattern: str, *, extended: bool = True, multiline: bool = False) -> None:
        self._pattern = pattern
        self._extended = extended
        self._anchors = {"^": "^", "$": "$"} if multiline else {"^": r"\A", "$": r"\Z"}
        self._out: list[str] = []
        self._atom = -1  # where the last atom begins in _out, -1 when there is none
        self._manifold = False  # the last atom is a group that repeats or chooses
        self._groups: list[tuple[int, int]] = []
        self._choices = 0  # repetitions and alternatives so far
        self.risky = False
        at = 0
        while at < len(pattern):
            at = self._step(at)
        if self._groups:
            raise ValueError("Unmatched ( or \\(")
        self.risky |= self._choices > 2
        self.text = "".join(self._out)

    def _step(self, at: int) -> int:
        char = self._pattern[at]
        if char == "\\":
            return self._escape(at)
        if char == "[":
            text, end = _bracket(self._pattern, at)
            self._add(text)
            return end
        if char in "(){}|+?" and not self._extended:
            self._add(re.escape(char))
            return at + 1
        return self._special(char, at)

    def _escape(self, at: int) -> int:
        if at + 1 == len(self._pattern):
            raise ValueError("Trailing backslash")
        char = self._pattern[at + 1]
        if not self._extended and char in "(){}|+?":
            return self._special(char, at + 1)
        if char in _PLACES:
            self._add(_PLACES[char], atom=False)
        elif char in "123456789":
            self._add(f"(?:\\{char})")
        else:
            self._add(_ESCAPES.get(char) or re.escape(char))
        return at + 2

    def _special(self, char: str, at: int) -> int:
        if char in "*+?{":
            return self._repeat(char, at)
        if char == "(":
            self._groups.append((len(self._out), self._choices))
            self._add("(", atom=False)
        elif char == ")" and self._groups:
            start, choices = self._groups.pop()
            self._add(")", atom=False)
            self._atom, self._manifold = start, choices != self._choices
        elif char == ")" and not self._extended:
            raise ValueError("Unmatched ) or \\)")
        elif char == "|":
            self._choices += 1
            self._add("|", atom=False)
        elif char in "^$" and self._is_anchor(char, at):
            self._add(self._anchors[char], atom=False)
        else:
            self._add("." if char == "." else re.escape(char))
        return at + 1

    def _is_anchor(self, char: str, at: int) -> bool:
        if self._extended:
            return True
        if char == "^":
            return not self._out or self._out[-1] in ("(", "|")
        return self._pattern[at + 1 :].startswith(("\\)", "\\|")) or at + 1 == len(self._pattern)

    def _repeat(self, char: str, at: int) -> int:
        if self._atom < 0:
            if self._extended or char == "{":
                raise ValueError("Invalid preceding regular expression")
            self._add(re.escape(char))
            return at + 1
        text, end = char, at + 1
        if char == "{":
            match = (_INTERVAL if self._extended else _BASIC_INTERVAL).match(self._pattern, at)
            if match is None:
                raise ValueError("Invalid content of \\{\\}")
            text, end = f"{{{match[1]}}}", match.end()
        if text != "?":
            self.risky |= self._manifold
            self._choices += 1
        atom = "".join(self._out[self._atom :])
        # "a*?" means (a*)? in POSIX, and something else in Python
        again = len(self._out) - 1 == self._atom and atom[-1] in "*+?}"
        self._out[self._atom :] = [f"(?:{atom}){text}" if again else atom + text]
        return end

    def _add(self, text: str, *, atom: bool = True) -> None:
        self._atom = len(self._out) if atom else -1
        self._manifold = False
        self._out.append(text)


def _bracket(pattern: str, start: int) -> tuple[str, int]:
    """Return a bracket expression in Python's syntax, and where it ends."""
    at = first = start + (2 if pattern.startswith("[^", start) else 1)
    out: list[str] = []
    while True:
        char = pattern[at : at + 1]
        if not char:
            raise ValueError(_OPEN_BRACKET)
        if char == "]" and at > first:
            break
        kind = pattern[at + 1 : at + 2]
        if char == "[" and kind and kind in ":.=":
            close = pattern.find(kind + "]", at + 2)
            if close < 0:
                raise ValueError(_OPEN_BRACKET)
            out.append(_named(kind, pattern[at + 2 : close]))
            at = close + 2
        else:
            out.append("-" if char == "-" else re.escape(char))
            at += 1
    last = len(out) - 1
    # a hyphen that is first or last stands for itself
    members = "".join(r"\-" if text == "-" and at in (0, last) else text for at, text in enumerate(out))
    return f"[{'^' if first > start + 1 else ''}{members}]", at + 1


def _named(kind: str, name: str) -> str:
    if kind == ":":
        if name not in _CLASSES:
            raise ValueError("Invalid character class name")
        return _CLASSES[name]
    if len(name) != 1:
        raise ValueError("Invalid collation character")
    return re.escape(name)
