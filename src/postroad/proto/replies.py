"""What a server says: bytes into replies, within limits, whatever the peer sends."""

from __future__ import annotations

import re

#: Bytes that one reply may have, all its lines and their ends counted, before the peer is given up.
REPLY_LIMIT = 65536

_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\ufffd]")
# RFC 3463 2: class, subject and detail; RFC 2034 4 puts it behind the code.
_STATUS = re.compile(rb"[0-9]{3}[ -] *([245]\.[0-9]{1,3}\.[0-9]{1,3})(?![^ \t])")
# A reply of several lines with one code, as every answer to EHLO is.
_LINES = re.compile(rb"([0-9]{3})-[^\n]*\n(?:\1-[^\n]*\n)*\1 [^\n]*\n")
_USUAL = b"250 2.0.0 "  # how nearly every server takes a message


class GarbledReply(Exception):  # noqa: N818 - the peer's defect, not ours
    """The peer said what is no reply, or too much; the conversation cannot go on.

    ``line`` is what it said, fit for a log line.
    """

    def __init__(self, line: str) -> None:
        super().__init__(line)
        self.line = line


def printable(data: bytes) -> str:
    """Return the peer's bytes as text of one line: what cannot be printed is ``?``."""
    text = data.decode("utf-8", "replace")
    if text.isascii() and text.isprintable():
        return text
    return _UNPRINTABLE.sub("?", text)


class ServerReply:
    """One reply: the code, and its lines as they came, parted by line feeds."""

    __slots__ = ("code", "raw")

    def __init__(self, code: int, raw: bytes) -> None:
        self.code = code
        self.raw = raw

    @property
    def good(self) -> bool:
        """Whether it is a 2xx."""
        return 200 <= self.code < 300

    @property
    def text(self) -> str:
        """Return the whole reply on one line, codes included, as log lines and notices quote it."""
        if b"\n" not in self.raw:
            return printable(self.raw)
        return " ".join(printable(line) for line in self.raw.split(b"\n"))

    @property
    def status(self) -> str:
        """Return the enhanced status code of the last line, or ``X.0.0`` made of the code.

        One that contradicts the code is not used.  Empty when the code is neither 2xx, 4xx nor 5xx.
        """
        if self.raw.startswith(_USUAL) and b"\n" not in self.raw:
            return "2.0.0"
        digit = self.code // 100
        if digit not in (2, 4, 5):
            return ""
        match = _STATUS.match(self.raw, self.raw.rfind(b"\n") + 1)
        if match is not None and match[1][0] - 48 == digit:
            return match[1].decode()
        return f"{digit}.0.0"

    def __repr__(self) -> str:
        return f"ServerReply({self.code}, {self.raw!r})"


class ReplyParser:
    """Cuts a stream into replies.  ``line_limit`` is the longest text of a reply that is kept, in bytes.

    ``strict`` makes a line that is no reply an error; otherwise it belongs to the reply that
    follows, which is harmless only while one command at a time is on its way.
    """

    __slots__ = ("_kept", "_size", "buffer", "line_limit", "strict")

    def __init__(self, line_limit: int = 2048) -> None:
        self.line_limit = line_limit
        self.strict = False
        self.buffer = b""  # what waits: no reply was made of it yet
        self._kept = b""  # lines of an unfinished reply
        self._size = 0  # bytes of the unfinished reply, cut ones included

    def feed(self, data: bytes) -> None:
        """Take bytes, cut anywhere."""
        self.buffer = self.buffer + data if self.buffer else data

    @property
    def unread(self) -> bytes:
        """The bytes that wait, if a reply begins with them, else empty."""
        return b"" if self._size else self.buffer

    def drop(self, replies: bytes) -> bool:
        """Forget the bytes that wait if they are exactly these, and whole replies; else do nothing."""
        if self.buffer != replies or self._size:
            return False
        self.buffer = b""
        return True

    @property
    def pending(self) -> bool:
        """Whether there are bytes that no reply was made of yet."""
        return bool(self.buffer or self._size)

    def next(self) -> ServerReply | None:
        """Return the next whole reply, None when more bytes are needed; raises GarbledReply."""
        buffer = self.buffer
        while buffer:
            end = buffer.find(b"\n")
            if end < 0:
                self._shorten(buffer)
                return None
            if not self._size and buffer[3:4] == b"-" and (reply := self._lines(buffer)) is not None:
                return reply
            line = buffer[: end - 1] if buffer[end - 1 : end] == b"\r" else buffer[:end]
            self.buffer = buffer = buffer[end + 1 :]
            code = line[:3]
            if not self._size and line[3:4] == b" " and code.isdigit() and len(line) <= self.line_limit:
                return ServerReply(int(code), line)  # the usual: one whole line
            self._count(end + 1, line)
            self._keep(line)
            behind = line[3:4] if len(code) == 3 and code.isdigit() else b"?"
            if behind in (b" ", b""):  # RFC 5321 4.2: a code without text must be understood too
                raw, self._kept, self._size = self._kept, b"", 0
                return ServerReply(int(code), raw)
            if behind != b"-" and self.strict:
                # "." and QUIT may both be on their way: the reply to QUIT must not be taken, after
                # some garbage, for the one to the dot, or mail is lost.
                raise GarbledReply(printable(line[:100]))
        return None

    def _lines(self, buffer: bytes) -> ServerReply | None:
        """Return a reply of several lines if the whole is there: in one step what ``next`` does in many."""
        found = _LINES.match(buffer)
        if found is None or found.end() > self.line_limit:
            return None
        self.buffer = buffer[found.end() :]
        return ServerReply(int(found[1]), found[0].replace(b"\r\n", b"\n")[:-1])

    def _shorten(self, buffer: bytes) -> None:
        """Bound a line that has no end yet: behind the limit, its bytes are counted and forgotten."""
        excess = len(buffer) - self.line_limit
        if excess > 0:
            self._count(excess, buffer)
            self.buffer = buffer[: self.line_limit]

    def _count(self, size: int, line: bytes) -> None:
        self._size += size
        if self._size > REPLY_LIMIT:
            self.buffer = b""  # else who asks until there is no more would ask for ever
            raise GarbledReply(printable(line[:100]))

    def _keep(self, line: bytes) -> None:
        if not self._kept:
            self._kept = line[: self.line_limit] or b" "
        elif len(self._kept) < self.line_limit:
            self._kept += b"\n" + line[: self.line_limit]
