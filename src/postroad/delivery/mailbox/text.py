"""A message as it stands in a mailbox: lines end with LF, and an mbox quotes From_ lines."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

from postroad.mail.address import to_external
from postroad.model.message import Content, Text

#: An address is a field's value here: what would end the line, or the header, is not let through.
_UNSAFE = re.compile("[\x00-\x1f\x7f]")


def field_address(address: str) -> bytes:
    """Return an address as a header field has it."""
    text = to_external(address)
    if text.isascii() and text.isprintable():  # which says sooner that nothing is unsafe
        return text.encode()
    return _UNSAFE.sub("?", text).encode("utf-8", "surrogateescape")


def head_of(sender: str, original: str, recipient: str) -> bytes:
    """Return the fields that final delivery puts in front; ``original`` may be empty."""
    # RFC 5321 4.4: the system that makes final delivery inserts the return path.
    lines = b"Return-Path: <%s>\n" % field_address(sender)
    delivered = field_address(recipient)
    if original:
        first = delivered if original == recipient else field_address(original)
        lines += b"X-Original-To: %s\n" % first
    return lines + b"Delivered-To: %s\n" % delivered


def from_line(sender: str, now: float) -> bytes:
    """Return the line that begins a message in an mbox, with the local time."""
    stamp = time.asctime(time.localtime(now)).encode()
    return b"From %s  %s\n" % (field_address(sender) or b"MAILER-DAEMON", stamp)


def lf_pieces(content: Content, *, quote_from: bool = False) -> Iterator[bytes]:
    """Yield the content with LF line ends; ``quote_from`` puts ``>`` before lines that begin ``From ``."""
    if content.data is not None:
        # To delete one byte is 6 times as fast as to replace two (1.6 us instead of 9.8 for 10 KiB).
        plain = isinstance(content, Text) and content.plain  # so there is no CR outside of a line end
        whole = content.data.replace(b"\r", b"") if plain else content.data.replace(b"\r\n", b"\n")
        yield _quoted(whole, at_start=True) if quote_from else whole
        return
    rest = b""
    at_start = True
    for piece in content.pieces():
        text = rest + piece
        # A CRLF, and the word that may need quoting, must not be cut: the last bytes wait.
        keep = _open_end(text)
        rest = text[len(text) - keep :]
        ready = text[: len(text) - keep].replace(b"\r\n", b"\n")
        if ready:
            yield _quoted(ready, at_start=at_start) if quote_from else ready
            at_start = ready.endswith(b"\n")
    if rest:
        last = rest.replace(b"\r\n", b"\n")
        yield _quoted(last, at_start=at_start) if quote_from else last


def _open_end(text: bytes) -> int:
    """Return how many bytes at the end cannot be judged yet: a CR, or a line that is a piece of ``From ``."""
    if text.endswith(b"\r"):
        return 1
    line = text[text.rfind(b"\n", len(text) - 6 if len(text) > 6 else 0) + 1 :]
    return len(line) if len(line) < 5 and b"From ".startswith(line) else 0


def _quoted(text: bytes, *, at_start: bool) -> bytes:
    if b"\nFrom " in text:
        text = text.replace(b"\nFrom ", b"\n>From ")
    return b">" + text if at_start and text.startswith(b"From ") else text
