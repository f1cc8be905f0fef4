"""A message as a program writes it to sendmail's standard input, made ready for a server."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from enum import Enum
from typing import IO

from postroad.base.errors import PostroadError
from postroad.mail import header as block

_BLOCK = 1 << 16
_IN_MEMORY = 1 << 20  # bytes; more of a message is a temporary file while it is read
#: The longest header that is looked at, in bytes.
HEADER_LIMIT = 1 << 22
_CR_LF = re.compile(rb"\r+\n")
_MAILBOX_LINES = re.compile(rb"(?:>*From [^\n]*\n)+")
_BLIND = (b"bcc", b"resent-bcc")


class LineEnds(Enum):
    """What becomes of CRLF in the input (sendmail_fix_line_endings)."""

    ALWAYS = "always"  # each is a line end
    STRICT = "strict"  # only if the first line ends with one
    NEVER = "never"  # the CR is a character of its line


class LetterTooLarge(PostroadError):  # noqa: N818 - a property of the letter
    """The message is larger than the limit."""


class Letter:
    """A message with CRLF line ends: ``header`` (may be edited) and, in a file of its own, the rest."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file = file
        self._size = size
        file.seek(0)
        start = file.read(HEADER_LIMIT)
        self._at = block.block_end(start)
        if len(start) < size and not block.is_complete(start, self._at):
            raise LetterTooLarge("message header too big")
        self.header = start[: self._at]
        # A line that is no field ends the header too; then an empty line has to part the two.
        ended = start[self._at : self._at + 2] == b"\r\n" or self._at == size
        self._parting = b"" if ended else b"\r\n"

    @property
    def size(self) -> int:
        """Return the size in bytes, as it is sent without dot-stuffing."""
        return len(self.header) + len(self._parting) + self._size - self._at

    def drop_blind_recipients(self) -> None:
        """Remove Bcc and Resent-Bcc: nobody else may see them (RFC 5322 3.6.3)."""
        self.header = block.without(self.header, *_BLIND)

    def add_author(self, author: str) -> None:
        """Add From, or Resent-From to a message that is sent again, unless it is there."""
        resent = any(field.name.startswith(b"resent-") for field in block.fields(self.header))
        name = b"Resent-From" if resent else b"From"
        if block.find(self.header, name.lower()) is None:
            self.header += name + b": " + author.encode("utf-8", "surrogateescape") + b"\r\n"

    def pieces(self) -> Iterator[bytes]:
        """Yield the whole text in pieces."""
        yield self.header + self._parting
        self._file.seek(self._at)
        while piece := self._file.read(_BLOCK):
            yield piece

    def close(self) -> None:
        """Forget it."""
        self._file.close()


def read_letter(source: IO[bytes], *, dot_ends: bool = True, line_ends: LineEnds = LineEnds.ALWAYS, limit: int = 0) -> Letter:  # fmt: skip  # noqa: E501
    """Read a message to its end: the end of the input, or if ``dot_ends`` a line with only a dot.

    The whole of it is read before anything is sent, for a program that writes slowly must not lose
    its session.  Mailbox separators in front (``From ...``) are left out.  LetterTooLarge over
    ``limit`` bytes (0: no limit).
    """
    file = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 - the Letter closes it
    reader = _Reader(file, dot_ends=dot_ends, line_ends=line_ends, limit=limit)
    try:
        while data := source.read(_BLOCK):
            if reader.feed(data):
                break
        else:
            reader.finish()
        return Letter(file, reader.size)
    except BaseException:
        file.close()
        raise


class _Reader:
    """Turns lines as UNIX has them into lines as the network has them, into a file."""

    def __init__(self, file: IO[bytes], *, dot_ends: bool, line_ends: LineEnds, limit: int) -> None:
        self._file = file
        self._dot_ends = dot_ends
        self._line_ends = line_ends
        self._limit = limit
        self._unfinished: list[bytes] = []  # pieces of a line
        self._waiting = 0  # bytes of them
        self._skipping = True  # nothing but mailbox separators so far
        self.size = 0

    def feed(self, data: bytes) -> bool:
        """Take a piece cut anywhere; True when the message has ended."""
        end = data.rfind(b"\n") + 1
        if not end:
            self._keep(data)
            return False
        text = b"".join((*self._unfinished, data[:end]))
        self._unfinished.clear()
        self._waiting = 0
        self._keep(data[end:])
        return self._take(text)

    def finish(self) -> None:
        """The input has ended."""
        if self._waiting:
            self._take(b"".join(self._unfinished) + b"\n")

    def _keep(self, data: bytes) -> None:
        if data:
            self._unfinished.append(data)
            self._waiting += len(data)
            self._check_limit()

    def _take(self, text: bytes) -> bool:
        """Take whole lines."""
        if self._line_ends is LineEnds.STRICT:
            first = text[: text.find(b"\n")]
            self._line_ends = LineEnds.ALWAYS if first.endswith(b"\r") else LineEnds.NEVER
        if self._line_ends is LineEnds.ALWAYS and b"\r" in text:
            text = _CR_LF.sub(b"\n", text)
        if self._skipping:
            found = _MAILBOX_LINES.match(text)
            text = text[found.end() :] if found else text
            self._skipping = not text
        ended = False
        if self._dot_ends:
            at = 0 if text.startswith(b".\n") else text.find(b"\n.\n") + 1 or -1
            if at >= 0:
                text, ended = text[:at], True
        text = text.replace(b"\n", b"\r\n")
        self._file.write(text)
        self.size += len(text)
        self._check_limit()
        return ended

    def _check_limit(self) -> None:
        if self._limit and self.size + self._waiting > self._limit:
            raise LetterTooLarge("message file too big")
