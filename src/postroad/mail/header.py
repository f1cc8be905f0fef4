"""The header block of a message: its end, its fields, and edits that touch nothing else.

Works on bytes with CRLF line ends.  A *field* is one header field with its continuation lines and
its last line end, exactly as it came.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

# RFC 5322 2.2: a name is printable ASCII without a colon. A blank in front of the colon is RFC 5322 4.5's
# obsolete syntax, which is accepted.  No group is possessive, only single characters are: before Python
# 3.11.5 a possessive group may end in the middle of a repetition that failed (gh-106052).
_FIELD = rb"[!-9;-~]++[ \t]*+:[^\n]*+\n(?:[ \t][^\n]*+\n)*"
_BLOCK = re.compile(rb"(?:" + _FIELD + rb")*")
_STRICT_BLOCK = re.compile(rb"(?:[!-9;-~]++:[^\n]*+\n(?:[ \t][^\n]*+\n)*)*")
_FIELDS = re.compile(rb"([!-9;-~]++)([ \t]*+):([^\n]*+\n(?:[ \t][^\n]*+\n)*)")


class Field(NamedTuple):
    """One field.  ``name`` is in lower case, ``raw`` the whole of it, ``at`` where it begins."""

    name: bytes
    raw: bytes
    at: int

    @property
    def body(self) -> bytes:
        """Return what stands behind the colon, line ends included."""
        return self.raw[self.raw.index(b":") + 1 :]


def block_end(content: bytes) -> int:
    """Return where the header ends: at the empty line, or at the first line that is no field."""
    found = _BLOCK.match(content)
    return found.end() if found else 0


def strict_end(content: bytes) -> int:
    """Return the same, but end as well at a field with a blank in front of its colon."""
    found = _STRICT_BLOCK.match(content)
    return found.end() if found else 0


def is_complete(content: bytes, end: int) -> bool:
    """Return whether the header that ends at ``end`` cannot go on: a whole line stands behind it."""
    return content.find(b"\n", end) >= 0


def fields(header: bytes) -> Iterator[Field]:
    """Yield the fields of a header block in their order."""
    for found in _FIELDS.finditer(header):
        yield Field(found[1].lower(), found[0], found.start())


def body_at(content: bytes) -> int:
    """Return where the body begins: behind the empty line if there is one."""
    end = block_end(content)
    return end + 2 if content[end : end + 2] == b"\r\n" else end


def find(header: bytes, name: bytes) -> bytes | None:
    """Return the unfolded value of the first field of this name (lower case), None if there is none."""
    for field in fields(header):
        if field.name == name:
            return unfold(field.body)
    return None


def unfold(body: bytes) -> bytes:
    """Return a field's body on one line, without the blanks around it (RFC 5322 2.2.3)."""
    return body.replace(b"\r\n", b"").replace(b"\n", b"").strip(b" \t")


def without(header: bytes, *names: bytes) -> bytes:
    """Return the header without the fields of these names (lower case)."""
    return b"".join(field.raw for field in fields(header) if field.name not in names)


def with_field(header: bytes, name: bytes, value: bytes) -> bytes:
    """Return the header with one more field at its end.  ValueError for a name or value that is none."""
    line = name + b": " + value + b"\r\n"
    # A CR or LF in it would let a value add fields of its own.
    if _FIELDS.fullmatch(line) is None or len(line.splitlines()) > 1:
        raise ValueError(f"not a header field: {line!r}")
    return header + line


def truncated(raw: bytes, limit: int) -> bytes:
    """Return a field cut to ``limit`` bytes; line ends count as one, the last one not at all."""
    if len(raw) <= limit:
        return raw
    return raw.replace(b"\r\n", b"\n")[:limit].rstrip().replace(b"\n", b"\r\n") + b"\r\n"
