"""The content of a message as it goes over the wire behind DATA: dots doubled, long lines broken."""

from __future__ import annotations

import re

# Content has CRLF line ends.  Should a bare CR or LF come this far, some servers would take what
# stands around it for the end of the message: it is never sent.
_STRAY = re.compile(rb"\r(?!\n)|(?<!\r)\n")


def fits(text: bytes, limit: int, at: int = 0) -> bool:
    """Return whether no line from ``at`` on is longer than ``limit`` bytes without its CRLF."""
    size = len(text)
    while size - at > limit:
        # Behind the last line end within reach; without one, this line is too long.
        at = text.rfind(b"\n", at, at + limit + 2) + 1
        if not at:
            return False
    return True


class ContentEncoder:
    """Encodes one content, whole or in pieces cut anywhere.

    ``line_limit`` is the longest line in bytes without its CRLF, 0 for no limit.  ``broken`` tells
    afterwards whether a line was longer and got a CRLF and a space put in.
    """

    __slots__ = ("_at_start", "_column", "_held", "_limit", "broken")

    def __init__(self, line_limit: int) -> None:
        self._limit = max(2, line_limit) if line_limit else 0  # a space and something of the line
        self._at_start = True
        self._column = 0  # bytes of the unfinished line that are out already
        self._held = b""  # a CR at the end of a piece: what it is shows in the next
        self.broken = False

    def encode(self, piece: bytes) -> bytes:
        """Return a piece as it is sent."""
        data = self._held + piece if self._held else piece
        self._held = b""
        if data.endswith(b"\r"):
            data, self._held = data[:-1], b"\r"
        if not data:
            return data
        text = b"".join(data.split(b"\r\n"))  # cheaper than to count the line ends
        if b"\r" in text or b"\n" in text:
            data = _STRAY.sub(b" ", data)
        starts_line = self._at_start
        self._at_start = data.endswith(b"\n")
        if self._limit and self._has_long_line(data):
            data = self._break_lines(data)
        elif self._at_start:
            self._column = 0
        else:
            end = data.rfind(b"\n")
            self._column = len(data) - end - 1 if end >= 0 else self._column + len(data)
        # RFC 5321 4.5.2: a dot that begins a line is doubled.
        data = data.replace(b"\r\n.", b"\r\n..")
        if starts_line and data.startswith(b"."):
            data = b"." + data
        return data

    def finish(self) -> bytes:
        """Return what ends the content: the missing CRLF, if any, and the final dot."""
        if self._held:
            self._held = b""
            self._at_start = False
        return b".\r\n" if self._at_start else b"\r\n.\r\n"

    def _has_long_line(self, data: bytes) -> bool:
        limit = self._limit
        if not self._column:
            return not fits(data, limit)
        if self._column + len(data) <= limit:
            return False
        at = data.rfind(b"\n", 0, max(0, limit + 2 - self._column)) + 1
        return not at or not fits(data, limit, at)

    def _break_lines(self, data: bytes) -> bytes:
        """Break lines as Postfix does: the next begins with a space, and may be one byte shorter."""
        out: list[bytes] = []
        column = self._column
        self.broken = True
        for number, line in enumerate(data.split(b"\r\n")):
            if number:
                out.append(b"\r\n")
                column = 0
            at = 0
            while len(line) - at > (room := self._limit - column):
                out += (line[at : at + room], b"\r\n ")
                at += room
                column = 1
            out.append(line[at:])
            column += len(line) - at
        self._column = column
        return b"".join(out)
