"""What a client sent and nobody has looked at yet."""

from __future__ import annotations

#: Bytes of one line that are read past before the client is given up.
PATIENCE = 1 << 20


class Inbox:
    """Bytes in, lines or counted octets out.  Cutting off a line does not copy what follows it.

    A line of more than ``limit`` bytes is cut there and the rest of it dropped; ``long`` has its
    beginning then, and ``endless`` when the rest does not come to an end.
    """

    __slots__ = ("_at", "_buffer", "_line", "_skipped", "bare", "empty", "endless", "limit", "long")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._buffer = b""
        self._at = 0  # what stands before it was taken
        self._line = b""  # the beginning of a line that is too long
        self._skipped = 0
        self.empty = True  # nothing is kept, not even the beginning of a line that is too long
        self.bare = False  # the last line ended with LF alone
        self.long = b""
        self.endless = False

    def __len__(self) -> int:
        return len(self._buffer) - self._at

    def add(self, data: bytes) -> None:
        """Take bytes as they came."""
        self._buffer = data if self._at == len(self._buffer) else self._buffer[self._at :] + data
        self._at = 0
        self.empty = False

    def peek(self, size: int) -> bytes:
        """Return the next bytes and leave them."""
        return self._buffer[self._at : self._at + size]

    def take(self, size: int = -1) -> bytes:
        """Return up to so many bytes; all without a number."""
        at = self._at
        if size < 0:
            data = self._buffer[at:] if at else self._buffer
            self._buffer, self._at = b"", 0
            self.empty = True
            return data
        data = self._buffer[at : at + size]
        self._at = at + len(data)
        self.empty = self._at == len(self._buffer)
        return data

    def clear(self) -> None:
        """Drop everything."""
        self._buffer, self._at, self._line = b"", 0, b""
        self.empty = True

    def line(self) -> bytes | None:
        """Return the next line without its end, None while it is not complete."""
        if self._line:
            return self._skip()
        buffer, at, limit = self._buffer, self._at, self.limit
        end = buffer.find(b"\n", at)
        if 0 <= end <= at + limit:
            self._at = end + 1
            self.empty = end + 1 == len(buffer)
            self.bare = end == at or buffer[end - 1] != 13
            return buffer[at:end].rstrip(b"\r")
        if at:
            self._buffer = buffer = buffer[at:]
            self._at = 0
        if end < 0 and len(buffer) <= limit:
            return None
        self._line, self._buffer = buffer[:limit], buffer[limit:]
        self.long = self._line[:30]
        return self._skip()

    def _skip(self) -> bytes | None:
        end = self._buffer.find(b"\n", self._at)
        if end < 0:
            self._skipped += len(self)
            self._buffer, self._at = b"", 0
            self.endless = self._skipped > PATIENCE
            return None
        self._at = end + 1
        self.empty = end + 1 == len(self._buffer)
        line, self._line, self._skipped, self.bare = self._line, b"", 0, False
        return line
