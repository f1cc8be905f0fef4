"""The content of a message as it comes from the wire: its end, its dots, its line ends.

What leaves here is unambiguous to whoever reads it later: each line ends with CRLF, and unless the
operator wants stray carriage returns kept, CR and LF stand nowhere else.  That is the defence
against SMTP smuggling: nothing passes that another server could take for the end of a message.

Work is done with find, count and replace on whole buffers; only text that is not clean (a line feed
or a carriage return on its own) goes through regular expressions, all of them linear.
"""

from __future__ import annotations

import re
from io import IncrementalNewlineDecoder

from postroad.proto.options import BareNewline

CRLF = b"\r\n"
#: The end of data, with the line end in front of it.  RFC 5321 2.3.8, 4.1.1.4.
_STRICT_END = re.compile(rb"\r\n\.\r\n")
#: The same where further carriage returns do not count, as in Postfix 3.7.  Who stuffs dots does not send
#: that within a message: the line in front has its proper end.
_CRLF_END = re.compile(rb"\r\n\.\r++\n")
_ANY_END = re.compile(rb"\n\.\r*+\n")
_BARE_LF = re.compile(rb"(?<!\r)\n")
_STRAY_CR = re.compile(rb"\r(?!\n)")
_MANY_CR = re.compile(rb"(?<!\r)\r\r++\n")
_LONE_DOT = re.compile(rb"(?<=\n)\.\r\n")
_FROM_LINE = re.compile(rb">*From ")
_END = b"\r\n.\r\n"
#: What a text may not begin with if nothing is to be done at its beginning: see ``ContentReader._open``.
_OPENINGS = b". \t>"


def is_clean(text: bytes) -> bool:
    """Return whether CR and LF stand in the text only as CRLF.

    Python's own look at line ends needs one pass, and a third of the time of counting them.
    """
    ends = IncrementalNewlineDecoder(None, translate=False)
    ends.decode(text.decode("latin-1"), final=True)
    return ends.newlines is None or ends.newlines == "\r\n"


def is_whole(data: bytes) -> bool:
    """Return whether this is a message from its first byte to its end, in which nothing is to be changed.

    A reader would find the same, and that the text is all but the last three bytes, in several passes.
    """
    return (
        data.endswith(_END)
        and data[0] not in _OPENINGS
        and not data.startswith(b"From ")
        # What follows the last dot need not be searched: base64 has none.
        and data.rfind(b"\r\n.", 0, data.rfind(b".", 0, -3) + 1) < 0
        and is_clean(data)
    )


class ContentReader:
    """Reads the content of one message.

    ``feed`` returns the text that is complete so far; ``done`` says that the end of data was seen
    and ``rest`` has what came behind it.  Memory is bounded by what is fed plus ``line_limit``.
    """

    __slots__ = ("_end", "_first", "_limit", "_lines", "_replace", "_start", "_strict", "_tail", "bare", "done", "plain", "rest", "size")  # fmt: skip  # noqa: E501

    def __init__(self, mode: BareNewline = BareNewline.NORMALIZE, *, dots: bool = True, strict_end: bool = True, replace_stray_cr: bool = True, line_limit: int = 2048) -> None:  # fmt: skip  # noqa: E501
        self._lines = dots  # False: a chunk of BDAT, dots mean nothing and nothing ends it
        self._replace = replace_stray_cr
        self._limit = max(line_limit, 4)  # ".", CR and LF are one line end, however they are cut
        self._tail = b""
        #: What precedes the next byte: CRLF or LF when it begins a line, else something else.
        self._start: bytes = CRLF
        self._strict = mode is not BareNewline.ALLOW
        self._end = _ANY_END if not self._strict else _STRICT_END if strict_end else _CRLF_END
        self._first = True
        #: Every line ended with CRLF, and none began with a dot: it can be sent on as it is.
        self.plain = dots
        self.bare = False  # a line ended with LF alone
        self.done = False
        self.rest = b""
        self.size = 0  # of the text returned

    @property
    def pending(self) -> int:
        """Return how many bytes are kept back because their line is not complete."""
        return len(self._tail)

    def feed(self, data: bytes) -> bytes:
        """Take bytes as they came; return text that may be handed on."""
        if self._tail:
            data = self._tail + data
            self._tail = b""
        clean, text = self._whole_lines(data)
        if text and not clean:
            text = self._repair(text)
        if self._first and text:
            text = self._open(text, dotted=data.startswith(b"."))
        self.size += len(text)
        return text

    def finish(self) -> bytes:
        """Return what is left at the end of the last chunk; the text ends with CRLF then."""
        tail, self._tail = self._tail, b""
        if not tail and self._start in (CRLF, b"\n"):
            return b""
        text = _STRAY_CR.sub(b" ", tail) if self._replace else tail
        if self._first and text:
            text = self._open(text)
        text += CRLF
        self.size += len(text)
        return text

    def _whole_lines(self, data: bytes) -> tuple[bool, bytes]:
        """Cut off the lines that are complete; if they are clean, take out dots as well."""
        at_start = self._start == CRLF
        if self._lines and at_start and data.startswith(b".\r\n"):
            self.done, self.rest = True, data[3:]
            return True, b""
        # What precedes the first dot need not be searched: base64 has none.
        dot = data.find(b".") if self._lines else -1
        if dot >= 0:
            dot = data.find(b"\r\n.", max(dot - 2, 0))
        if dot >= 0 and data.startswith(CRLF, dot + 3):
            end, dots = dot, False
        else:
            end = data.find(b"\r\n.\r\n", dot) if dot >= 0 else -1
            dots = dot >= 0
        if end >= 0:
            text, rest = data[: end + 2], data[end + 5 :]
        else:
            cut = data.rfind(b"\n") + 1
            text, rest = data[:cut], data[cut:]
        if self._start == b"\n" or not is_clean(text):
            return False, self._unclean_lines(data)
        if end >= 0:
            self.done, self.rest = True, rest
        else:
            self._tail = rest
        if not text:
            return True, self._overlong()
        if dots:
            text = text.replace(b"\r\n.", CRLF)
            self.plain = False
        if self._lines and at_start and text[0] == 46:
            text = text[1:]
            self.plain = False
        self._start = CRLF
        if not self.done and len(self._tail) > self._limit:
            text += self._overlong()
        return True, text

    def _unclean_lines(self, data: bytes) -> bytes:
        """Cut off lines that are to be repaired; an end among them is not looked for yet."""
        cut = data.rfind(b"\n") + 1
        self._tail = data[cut:]
        self.plain = False
        return data[:cut] or self._overlong()

    def _overlong(self) -> bytes:
        """Let go of the beginning of a line that is longer than what is kept back."""
        tail = self._tail
        if len(tail) <= self._limit:
            return b""
        self.plain = False
        kept = 1 if tail.endswith(b"\r") else 0  # it may belong to a line end
        text, self._tail = tail[: len(tail) - kept], tail[len(tail) - kept :]
        if self._lines and self._start in (CRLF, b"\n") and text.startswith(b"."):
            text = text[1:]
        self._start = b"x"
        return _STRAY_CR.sub(b" ", text) if self._replace else text

    def _repair(self, text: bytes) -> bytes:
        """Bring whole lines into order that have CR or LF on its own, or follow such a line."""
        if not text.endswith(b"\n"):  # the beginning of a long line is in order already
            return text
        start = self._start
        work = start + text
        if self._lines:
            end = self._end.search(work)
            if end is not None:
                self.done = True
                # The line feed that the end begins with belongs to the line before it.
                kept = end.start() + (2 if self._strict else 1)
                self.rest, self._tail = work[end.end() :] + self._tail, b""
                if not self._strict and not end[0].endswith(CRLF):
                    self.bare = True
                work = work[:kept]
        if _BARE_LF.search(work, len(start)) is not None:
            self.bare = True
        self._start = CRLF if work.endswith(CRLF) else b"\n"
        if b"\r\r" in work:
            work = _MANY_CR.sub(b"\n", work)
        work = work.replace(CRLF, b"\n").replace(b"\n", CRLF)
        if self._lines:
            if self._strict and b"\n.\r\n" in work:
                work = _LONE_DOT.sub(b"", work)
            work = work.replace(b"\r\n.", CRLF)
        work = work[1 if start == b"x" else 2 :]  # without what was lent in front
        if not self.done and len(self._tail) > self._limit:
            work += self._overlong()
        stray = self._replace and work.count(b"\r") != work.count(CRLF)
        return _STRAY_CR.sub(b" ", work) if stray else work

    def _open(self, text: bytes, *, dotted: bool = False) -> bytes:
        """Treat the first line as Postfix does; with a dot in front on the wire it separates nothing."""
        head = b""
        while self._lines and not dotted and (match := _FROM_LINE.match(text)) is not None:
            # A mailbox's separator that a client sent along becomes a header field.
            end = text.find(CRLF, match.end()) + 2
            if end < 2:
                end = len(text)
            head += b"X-Mailbox-Line: " + text[:end]
            text = text[end:]
        if not text:
            return head
        self._first = False
        if text[0] in b" \t":  # it must not continue the header field that is put in front of it
            head += CRLF
        return head + text
