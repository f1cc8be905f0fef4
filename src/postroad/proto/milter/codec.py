"""Packets of the milter protocol: a length, a letter, data.

The protocol has no standard; it is what Sendmail's libmilter speaks, and what Postfix speaks to it.
"""

from __future__ import annotations

import struct
from typing import Final

_LENGTH = struct.Struct(">I")
_PORT = struct.Struct(">H")
_NEGOTIATION = struct.Struct(">III")

#: No packet is larger.  libmilter's have 64 KiB, 1 MiB if an application asks for that.
PACKET_LIMIT: Final = (1 << 20) + 64

# What the server says: events, and what goes with them.
ABORT, BODY, CONNECT, MACRO, END, HELO, HEADER, MAIL, END_OF_HEADER, NEGOTIATE, QUIT, RCPT, DATA, UNKNOWN = (
    b"A", b"B", b"C", b"D", b"E", b"H", b"L", b"M", b"N", b"O", b"Q", b"R", b"T", b"U",
)  # fmt: skip
COMMAND_NAMES: Final = {
    ABORT: "SMFIC_ABORT",
    BODY: "SMFIC_BODY",
    CONNECT: "SMFIC_CONNECT",
    MACRO: "SMFIC_MACRO",
    END: "SMFIC_BODYEOB",
    HELO: "SMFIC_HELO",
    HEADER: "SMFIC_HEADER",
    MAIL: "SMFIC_MAIL",
    END_OF_HEADER: "SMFIC_EOH",
    NEGOTIATE: "SMFIC_OPTNEG",
    QUIT: "SMFIC_QUIT",
    RCPT: "SMFIC_RCPT",
    DATA: "SMFIC_DATA",
    UNKNOWN: "SMFIC_UNKNOWN",
}
REPLY_NAMES: Final = {
    b"+": "SMFIR_ADDRCPT",
    b"-": "SMFIR_DELRCPT",
    b"2": "SMFIR_ADDRCPT_PAR",
    b"4": "SMFIR_SHUTDOWN",
    b"a": "SMFIR_ACCEPT",
    b"b": "SMFIR_REPLBODY",
    b"c": "SMFIR_CONTINUE",
    b"d": "SMFIR_DISCARD",
    b"e": "SMFIR_CHGFROM",
    b"f": "SMFIR_CONN_FAIL",
    b"h": "SMFIR_ADDHEADER",
    b"i": "SMFIR_INSHEADER",
    b"l": "SMFIR_SETSYMLIST",
    b"m": "SMFIR_CHGHEADER",
    b"p": "SMFIR_PROGRESS",
    b"q": "SMFIR_QUARANTINE",
    b"r": "SMFIR_REJECT",
    b"s": "SMFIR_SKIP",
    b"t": "SMFIR_TEMPFAIL",
    b"y": "SMFIR_REPLYCODE",
}


class MilterError(Exception):
    """A milter does not keep to the protocol; the message is what a log line has behind its name."""


def packet(code: bytes, data: bytes = b"") -> bytes:
    """Return a packet."""
    return _LENGTH.pack(len(data) + 1) + code + data


def head(code: bytes, size: int) -> bytes:
    """Return the beginning of a packet whose data, ``size`` bytes, is sent behind it."""
    return _LENGTH.pack(size + 1) + code


def negotiation(version: int, actions: int, events: int) -> bytes:
    """Return the packet that begins a connection."""
    return packet(NEGOTIATE, _NEGOTIATION.pack(version, actions, events))


def strings(*values: str) -> bytes:
    """Return strings as packets have them; what would end one early is left out."""
    return b"".join(value.encode("utf-8", "surrogateescape").replace(b"\0", b"") + b"\0" for value in values)


def macros(event: bytes, pairs: dict[str, str]) -> bytes:
    """Return the packet of the macros of an event: with no pairs it takes back those of before."""
    return packet(MACRO, event + b"".join(strings(name, value) for name, value in pairs.items()))


def connect_data(name: str, address: str, port: int) -> bytes:
    """Return the data of a connect event; an address that is none of the internet's is unknown."""
    if not address or address == "unknown":
        return strings(name) + b"U"
    return strings(name) + (b"6" if ":" in address else b"4") + _PORT.pack(port & 0xFFFF) + strings(address)


class PacketReader:
    """Cuts what comes from a milter into packets; it keeps at most one that is not complete."""

    __slots__ = ("_buffer",)

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> None:
        """Take bytes, cut anywhere."""
        self._buffer += data

    @property
    def size(self) -> int:
        """Return how many bytes wait to be read."""
        return len(self._buffer)

    def next(self) -> tuple[bytes, bytes] | None:
        """Return code and data of the next packet, None when it is not complete.  MilterError."""
        buffer = self._buffer
        if len(buffer) < 4:
            return None
        size = _LENGTH.unpack_from(buffer)[0]
        if size < 1:
            raise MilterError(f"bad packet length: {size}")
        if size > PACKET_LIMIT:
            raise MilterError(f"unreasonable packet length: {size} > {PACKET_LIMIT}")
        if len(buffer) < 4 + size:
            return None
        found = bytes(buffer[4:5]), bytes(buffer[5 : 4 + size])
        del buffer[: 4 + size]
        return found


class Fields:
    """Reads the data of one packet from its beginning.  MilterError for what is not there."""

    __slots__ = ("_at", "_data")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def __bool__(self) -> bool:
        return self._at < len(self._data)

    def number(self) -> int:
        """Return a number of 32 bits."""
        if self._at + 4 > len(self._data):
            raise MilterError("input packet too short for network long")
        found: int = _LENGTH.unpack_from(self._data, self._at)[0]
        self._at += 4
        return found

    def string(self) -> bytes:
        """Return a string."""
        if not self:
            raise MilterError("packet too short for string")
        end = self._data.find(b"\0", self._at)
        if end < 0:
            raise MilterError("missing string null terminator")
        found = self._data[self._at : end]
        self._at = end + 1
        return found

    def finish(self, name: str) -> None:
        """See that nothing is left of a reply of this name."""
        if self:
            raise MilterError(f"reply {name} was followed by {len(self._data) - self._at} data bytes")
