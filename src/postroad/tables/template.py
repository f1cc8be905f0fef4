"""Answers with ``$1``, ``${1}``, ``$(1)`` and ``$$`` in them."""

from __future__ import annotations

import re
from typing import Any

_MACRO = re.compile(r"\$(?:(\$)|\{([^}]*)\}|\(([^)]*)\)|(\w*))")


class Template:
    """Text with places for the groups of a match; ``highest`` is the greatest number used, 0 for none."""

    __slots__ = ("_parts", "_text", "highest")

    def __init__(self, parts: list[str | int]) -> None:
        self._parts = parts
        numbers = [part for part in parts if isinstance(part, int)]
        self.highest = max(numbers, default=0)
        self._text = None if numbers else "".join(str(part) for part in parts)

    def fill(self, match: Any) -> str:
        """Return the text for a match; a group that took no part is empty."""
        if self._text is not None:
            return self._text
        return "".join(part if isinstance(part, str) else match.group(part) or "" for part in self._parts)


def parse_template(text: str) -> Template:
    """Read an answer; ValueError when a ``$`` is followed by no number."""
    if "$" not in text:
        return Template([text])
    parts: list[str | int] = []
    end = 0
    for match in _MACRO.finditer(text):
        parts.append(text[end : match.start()])
        end = match.end()
        dollar, *names = match.groups()
        if dollar:
            parts.append("$")
            continue
        name = next((name for name in names if name is not None), "")
        if not (name.isascii() and name.isdecimal() and len(name) < 4):
            raise ValueError(f'non-numeric replacement index "{name}"')
        if int(name) == 0:
            raise ValueError(f'out of range replacement index "{name}"')
        parts.append(int(name))
    return Template([*parts, text[end:]])
