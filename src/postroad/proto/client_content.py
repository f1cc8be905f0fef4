"""The content of a message as it goes over the wire behind DATA: dots doubled, long lines broken."""

from __future__ import annotations

import re

# Content has CRLF line ends.  Should a bare CR or LF come this far, some servers would take what
# stands around it for the end of the message: it is never sent.
_STRAY = re.compile(rb"\r(?!\n)|(?<!\r)\n")


class ContentEncoder:
    """Encodes one content, whole or in pieces cut anywhere.

    ``line_limit`` is the longest line in bytes without its CRLF, 0 for no limit.  ``broken`` tells
    afterwards whether a line was longer and got a CRLF and a space put in.
    """

    __slots__ = ("_at_start", "_column", "_held", "_limit", "broken")

    def __init__(self, line_limit: int) -> None:
        self._limit = line_limit
        self._at_start = True
        self._column = 0  # bytes of the unfinished line that are out already
        self._held = b""  # a CR at the end of a piece: what it is shows in the next
        self.broken = False

    def encode_plain(self, text: bytes) -> bytes:
        """Return a whole content whose lines all end with CRLF, none beginning with a dot."""
        self._at_start = True
        return self._break_lines(text) if self._limit and self._has_long_line(text) else text

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
        limit, size, at = self._limit, len(data), 0
        reach = limit + 2  # with CRLF
        if self._column:
            if self._column + size <= limit:
                return False
            at = data.rfind(b"\n", 0, max(0, reach - self._column)) + 1
            if not at:
                return True
        while size - at > limit:
            # Behind the last line end within reach; without one, this line is too long.
            at = data.rfind(b"\n", at, at + reach) + 1
            if not at:
                return True
        return False

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
