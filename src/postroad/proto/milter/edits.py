"""What a milter wants changed at the end of a message, as it came in its packets, and bounds for it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from postroad.model.filters import AddRecipient, ChangeSender, DeleteRecipient
from postroad.proto import path
from postroad.proto.content import is_clean
from postroad.proto.milter.codec import Fields, MilterError

#: Bytes of header fields and addresses that all edits of a message may have, and how many they may be.
_MOST_BYTES: Final = 1 << 20
_MOST_EDITS: Final = 10_000
_NAME = re.compile(rb"[!-9;-~]++")  # RFC 5322 2.2
_LINE_END = re.compile(rb"\r+\n?|\n")
_UNSAFE = re.compile("[\x00-\x20\x7f]")


@dataclass(frozen=True, slots=True)
class AddHeader:
    """A field behind the last one."""

    name: bytes
    value: bytes


@dataclass(frozen=True, slots=True)
class InsertHeader:
    """A field in front of that with this number, counted from 0 in the header as it will be sent."""

    index: int
    name: bytes
    value: bytes


@dataclass(frozen=True, slots=True)
class ChangeHeader:
    """Another value for a field: the number, from 1, is among those of its name that the milter saw.

    An empty value deletes it; a field that is not there is added.
    """

    index: int
    name: bytes
    value: bytes


HeaderEdit = AddHeader | InsertHeader | ChangeHeader
_EnvelopeEdit = ChangeSender | AddRecipient | DeleteRecipient


class TooLarge(MilterError):  # noqa: N818 - what is wrong, not that something is
    """What a milter makes of a message is larger than messages may be."""


class Edits:
    """All that one milter wants of one message, in its order.  ``body`` None: it stays."""

    __slots__ = ("_body_limit", "_carry", "_count", "_size", "_written", "body", "envelope", "header", "ignored")  # fmt: skip  # noqa: E501

    def __init__(self, body_limit: int) -> None:
        self.header: list[HeaderEdit] = []
        self.envelope: list[_EnvelopeEdit] = []
        self.body: list[bytes] | None = None
        self.ignored: list[str] = []  # for the log
        self._body_limit = body_limit
        self._written = 0  # bytes of the new body
        self._carry = b""
        self._count = 0
        self._size = 0

    def __bool__(self) -> bool:
        return bool(self.header or self.envelope) or self.body is not None

    def take(self, code: bytes, data: bytes) -> bool:
        """Take a packet; False when it is no edit.  MilterError."""
        if code == b"b":
            self._replace(data)
            return True
        reader = _READERS.get(code)
        if reader is None:
            return False
        self._count += 1
        self._size += len(data)
        if self._count > _MOST_EDITS or self._size > _MOST_BYTES:
            raise MilterError("too many changes of one message")
        reader(self, Fields(data))
        return True

    def _replace(self, data: bytes) -> None:
        if self.body is None:
            self.body = []
        self._written += len(data)
        if self._written > self._body_limit:
            raise TooLarge("message body too large")
        data = self._carry + data
        kept = data.rstrip(b"\r")  # a line feed may follow in the next packet
        self._carry = data[len(kept) :]
        if kept:
            self.body.append(_lines(kept))

    def finish(self) -> None:
        """There are no more.  A new body ends with a line's end, as every body here."""
        if self.body is None:
            return
        if self._carry:
            self.body.append(b" " * len(self._carry))
        last = b"".join(self.body[-2:])[-2:]
        if self.body and last != b"\r\n":
            self.body.append(b"\r\n")

    def _add(self, fields: Fields) -> None:
        self.header.append(AddHeader(_name(fields), fields.string()))

    def _insert(self, fields: Fields) -> None:
        self.header.append(InsertHeader(fields.number(), _name(fields), fields.string()))

    def _change(self, fields: Fields) -> None:
        index = fields.number()
        self.header.append(ChangeHeader(max(index, 1), _name(fields), fields.string()))

    def _sender(self, fields: Fields) -> None:
        address = _address(fields)
        self.envelope.append(ChangeSender(address, _arguments(fields)))

    def _add_recipient(self, fields: Fields) -> None:
        address = _address(fields)
        if address:
            self.envelope.append(AddRecipient(address, _arguments(fields)))
        else:
            self.ignored.append("ignoring attempt from Milter to add null recipient")

    def _delete_recipient(self, fields: Fields) -> None:
        self.envelope.append(DeleteRecipient(_address(fields)))


def _lines(data: bytes) -> bytes:
    """Return text with CRLF at the ends of its lines, and CR nowhere else.

    What leaves here is sent to other servers: see ``proto.content`` on smuggling.
    """
    if is_clean(data):
        return data
    return _LINE_END.sub(lambda end: b"\r\n" if end[0][-1:] == b"\n" else b" " * len(end[0]), data)


def _name(fields: Fields) -> bytes:
    name = fields.string()
    if not name:
        raise MilterError("null change header name")
    if _NAME.fullmatch(name) is None:
        raise MilterError("bad change header name")
    return name


def _address(fields: Fields) -> str:
    text = fields.string().decode("utf-8", "surrogateescape")
    try:
        address = path.parse(text.strip())
    except path.BadAddress:
        raise MilterError(f"bad address: {text[:100]!r}") from None
    if len(text) > 1000 or "\r" in address or "\n" in address:
        raise MilterError(f"bad address: {text[:100]!r}")
    return address


def _arguments(fields: Fields) -> str:
    """Return the parameters that may stand behind an address, on one line."""
    return " ".join(_UNSAFE.sub(" ", fields.string().decode("utf-8", "replace")).split()) if fields else ""


_READERS = {
    b"h": Edits._add,  # noqa: SLF001 - its own table
    b"i": Edits._insert,  # noqa: SLF001
    b"m": Edits._change,  # noqa: SLF001
    b"e": Edits._sender,  # noqa: SLF001
    b"+": Edits._add_recipient,  # noqa: SLF001
    b"2": Edits._add_recipient,  # noqa: SLF001
    b"-": Edits._delete_recipient,  # noqa: SLF001
}
