"""aliases(5): what the right-hand side of an alias says."""

from __future__ import annotations

import re
from enum import Enum
from typing import NamedTuple

from postroad.mail.address import to_internal

# A member ends at a comma that is not inside quotes, comments or angle brackets.
_PIECE = re.compile(r'"(?:[^"\\]|\\.)*"?|\((?:[^()\\]|\\.)*\)?|<[^>]*>?|\\.|[^",(<\\]+|[,\\]', re.DOTALL)
_INCLUDE = re.compile(r":include:\s*", re.IGNORECASE)


class Sort(Enum):
    """What a member of an alias is."""

    ADDRESS = "address"
    COMMAND = "command"
    FILE = "file"
    INCLUDE = "include"


class Member(NamedTuple):
    """One member: an address (internal form), a command without its bar, or a file's name."""

    sort: Sort
    text: str


def read_alias(value: str) -> list[Member]:
    """Return the members of an alias's right-hand side, empty ones left out."""
    members: list[Member] = []
    pieces: list[str] = []
    for piece in [*_PIECE.findall(value), ","]:
        if piece == ",":
            text = "".join(pieces).strip()
            pieces.clear()
            if text:
                members.append(_member(text))
        elif not piece.startswith("("):  # a comment
            pieces.append(piece)
    return [member for member in members if member.text]


def _member(text: str) -> Member:
    if text.endswith(">") and "<" in text:
        text = text[text.rindex("<") + 1 : -1].strip()
    bare = to_internal(text) if text.startswith('"') and text.endswith('"') else text
    if bare.startswith("|"):
        return Member(Sort.COMMAND, bare[1:].strip())
    if bare.startswith("/"):
        return Member(Sort.FILE, bare)
    include = _INCLUDE.match(bare)
    if include is not None:
        return Member(Sort.INCLUDE, bare[include.end() :])
    return Member(Sort.ADDRESS, to_internal(text))
