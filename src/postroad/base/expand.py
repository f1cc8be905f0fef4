"""``$name`` and its conditional forms, as Postfix expands them (postconf(5), "main.cf file format").

What is expanded is the text as it is written: whether ``${name?...}`` holds is asked of the named
value before its own expansion, as Postfix does.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from typing import Any

from postroad.base.maincf import BLANKS

_MACRO = re.compile(r"\$(\$|[A-Za-z0-9_]+|[{(])")
_NAME = re.compile(r"[A-Za-z0-9_]*")
_OPERATOR = re.compile(r"[<>!=?+\-*/~&|%]+(?:level)?|")
_REFERENCE = re.compile(r"\$(?:\$|[{(]?\s*([A-Za-z0-9_]+))")
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_EXPECTED = '"==" or "!=" or "<" or "<=" or ">=" or ">"'
_CLOSING = {"{": "}", "(": ")"}
_DEPTH = 100  # Postfix's limit


class ExpansionError(ValueError):
    """The text cannot be expanded; the message says why, in Postfix's words where it has some."""


def names_in(text: str) -> set[str]:
    """Return the names that an expansion of ``text`` may ask for."""
    return {found[1] for found in _REFERENCE.finditer(text) if found[1]} if "$" in text else set()


class Expander:
    """Expands texts; ``raw`` gives a name's unexpanded text, None when there is no such name.

    What a name expands to is worked out once.
    """

    def __init__(self, raw: Callable[[str], str | None]) -> None:
        self._raw = raw
        self._known: dict[str, str] = {}
        self._open: list[str] = []
        self._depth = 0

    def value(self, name: str) -> str:
        """Return the expanded value of a name, empty when it is not defined."""
        known = self._known.get(name)
        if known is not None:
            return known
        raw = self._raw(name) or ""
        if "$" in raw:
            if name in self._open:
                loop = " -> ".join(f"${each}" for each in [*self._open[self._open.index(name) :], name])
                raise ExpansionError(f"unreasonable macro call nesting: {loop}")
            self._open.append(name)
            try:
                raw = self.expand(raw)
            finally:
                self._open.pop()
        self._known[name] = raw
        return raw

    def expand(self, text: str) -> str:
        """Return the text with every macro replaced.  ExpansionError says what is malformed."""
        if "$" not in text:
            return text
        if self._depth >= _DEPTH:
            raise ExpansionError(f'unreasonable macro call nesting: "{text[:40]}"')
        self._depth += 1
        try:
            return self._expanded(text)
        finally:
            self._depth -= 1

    def _expanded(self, text: str) -> str:
        parts: list[str] = []
        at = 0
        while True:
            dollar = text.find("$", at)
            if dollar < 0:
                parts.append(text[at:])
                return "".join(parts)
            parts.append(text[at:dollar])
            found = _MACRO.match(text, dollar)
            if found is None:
                raise ExpansionError(f'empty macro name: "{text}"')
            what, at = found[1], found.end()
            if what == "$":
                parts.append("$")
            elif what in _CLOSING:
                end = _closing(text, found.start(1), what)
                if end < 0:
                    raise ExpansionError(f'truncated macro reference: "{text}"')
                if end == at:
                    raise ExpansionError(f'empty macro name: "{text}"')
                parts.append(self._braced(text[at:end]))
                at = end + 1
            else:
                parts.append(self.value(what))

    def _braced(self, body: str) -> str:
        """Expand what stands between ``${`` and ``}``."""
        at = _skip(body, 0)
        if body[at : at + 1] == "{":
            holds, at = self._relation(body, at)
            if at == len(body):
                return "true" if holds else ""
            if body[at] not in "?:":
                raise ExpansionError(f'"?" or ":" expected at: "...}}>>>{body[at : at + 20]}"')
            return self._chosen(body, at, holds)
        name = _NAME.match(body, at)
        assert name is not None
        end = _skip(body, name.end())
        if end == len(body):
            return self.value(name[0])
        if body[end] not in "?:":
            raise ExpansionError(
                f'attribute name syntax error at: "...{body[:end]}>>>{body[end : end + 20]}"'
            )
        return self._chosen(body, end, bool(self._raw(name[0])))

    def _chosen(self, body: str, at: int, holds: bool) -> str:
        """Expand the alternative that ``holds`` chooses; ``at`` is the place of its ``?`` or ``:``."""
        result = ""
        if body[at] == "?":
            chosen, at = _operand(body, at + 1)
            if holds:
                result = self.expand(chosen)
            if at == len(body):
                return result
            if body[at] != ":":
                raise ExpansionError(f'":" expected at: "...{chosen}}}>>>{body[at : at + 20]}"')
        chosen, at = _operand(body, at + 1)
        if at != len(body):
            raise ExpansionError(f'unexpected input at: "...{chosen}}}>>>{body[at : at + 20]}"')
        return result if holds else self.expand(chosen)

    def _relation(self, body: str, at: int) -> tuple[bool, int]:
        """Evaluate ``{a} == {b}``; return the answer and where the rest begins."""
        left, at = _operand(body, at)
        found = _OPERATOR.match(body, at)
        assert found is not None
        sign = found[0]
        if sign.removesuffix("level") not in _COMPARE:
            raise ExpansionError(f'{_EXPECTED} expected at: "...{left}}}>>>{body[at : at + 20]}"')
        at = _skip(body, found.end())
        if body[at : at + 1] != "{":
            raise ExpansionError(
                f'"{{expression}}" expected at: "...{{{left}}} {sign}>>>{body[at : at + 20]}"'
            )
        right, at = _operand(body, at)
        return compare(self.expand(left), sign, self.expand(right)), at


def compare(left: str, sign: str, right: str) -> bool:
    """Compare as numbers when both are all digits, as levels when the operator says so, else as text."""
    relation = _COMPARE[sign.removesuffix("level")]
    if sign.endswith("level"):
        return relation(_level(left), _level(right))
    if left.isdigit() and right.isdigit() and left.isascii() and right.isascii():
        return relation(int(left), int(right))
    return relation(left, right)


def _level(text: str) -> tuple[int, int, int]:
    """Read a compatibility level, ``major[.minor[.patch]]``."""
    parts = text.strip(BLANKS).split(".")
    if not 1 <= len(parts) <= 3 or not all(re.fullmatch("[0-9]{1,9}", part) for part in parts):
        raise ExpansionError(f'malformed compatibility level syntax: "{text}"')
    major, minor, patch = [*map(int, parts), 0, 0][:3]
    return major, minor, patch


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in BLANKS:
        at += 1
    return at


def _closing(text: str, at: int, opening: str) -> int:
    """Return where the bracket at ``at`` is closed, -1 if it is not."""
    level = 0
    for found in re.finditer(f"[{re.escape(opening + _CLOSING[opening])}]", text[at:]):
        level += 1 if found[0] == opening else -1
        if level == 0:
            return at + found.start()
    return -1


def _operand(body: str, at: int) -> tuple[str, int]:
    """Return ``{text}``'s text and where the rest begins; without braces, all that is left."""
    start = _skip(body, at)
    if body[start : start + 1] != "{":
        return body[at:], len(body)
    end = _closing(body, start, "{")
    if end < 0:
        raise ExpansionError(f'unbalanced {{}} in attribute expression: "{body[start:]}"')
    return body[start + 1 : end], _skip(body, end + 1)
