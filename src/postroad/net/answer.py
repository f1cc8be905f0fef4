"""Answers of the DNS: as values, and read from the wire with nothing in them trusted."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype

#: RFC 6891 6.2.5 and DNS flag day 2020: what passes every path without being cut into pieces.
_PAYLOAD = 1232
#: The recursion wanted (RD), and: tell me whether the answer is authentic (AD, RFC 6840 5.7).
_FLAGS = 0x0120
#: Records beyond this many are dropped; an answer of 64 KiB holds some 4000 addresses.
RECORD_LIMIT = 100


@dataclass(frozen=True, slots=True)
class Answer:
    """What the DNS says of one name and type.  No records: there are none; ``nxdomain``: nor is the name.

    ``records`` are of the kind's own form: MX ``(preference, host)``; A, AAAA, PTR, CNAME, NS text;
    TXT bytes; SRV ``(priority, weight, port, host)``; TLSA ``(usage, selector, type, data)``.
    ``name`` is the end of the CNAME chain.  ``ttl`` in seconds.  ``authentic``: validated by the
    server that was asked, by its own account.
    """

    name: str
    kind: str
    records: tuple[Any, ...] = ()
    ttl: int = 0
    authentic: bool = False
    nxdomain: bool = False


class BadAnswer(Exception):  # noqa: N818 - a thing received, not a defect
    """A packet that answers nothing."""


class Refused(BadAnswer):
    """The server will not or cannot say; ``code`` is its response code."""

    def __init__(self, code: int) -> None:
        super().__init__(f"response code {code}")
        self.code = code


class Truncated(BadAnswer):
    """The answer must be asked for again over TCP."""


class Elsewhere(Exception):  # noqa: N818 - as above
    """The answer ends at another name, which must be asked for: ``name``."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


def _host(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True) if name != dns.name.root else ""


#: The codec refuses a whole answer for one TLSA record whose digest has a wrong length; RFC 7671 4.3
#: wants such a record passed over.  So it gets these records under a private type, as mere octets.
_TLSA, _OCTETS = 52, 65332


def _read_tlsa(rdata: Any) -> tuple[int, int, int, bytes]:
    data = rdata.data
    # One without its fixed part is given a private usage, which nobody can use.
    return (data[0], data[1], data[2], data[3:]) if len(data) >= 3 else (255, 255, 255, b"")


_READERS: dict[str, Callable[[Any], Any]] = {
    "A": lambda r: r.address,
    "AAAA": lambda r: r.address,
    "MX": lambda r: (r.preference, _host(r.exchange)),
    "PTR": lambda r: _host(r.target),
    "CNAME": lambda r: _host(r.target),
    "NS": lambda r: _host(r.target),
    "TXT": lambda r: b"".join(r.strings),
    "SRV": lambda r: (r.priority, r.weight, r.port, _host(r.target)),
    "TLSA": _read_tlsa,
}
KINDS = frozenset(_READERS)


def wire_name(name: str) -> bytes | None:
    """Return a name (ASCII) as it goes over the wire, None for one that no host can have.

    Not a host name's grammar: TXT and TLSA names have underscores, DNSBL names digits.
    """
    if name == ".":
        return b"\0"  # the root, whose servers everybody knows
    labels = name.encode("ascii").split(b".")
    if len(name) > 253 or not all(0 < len(label) < 64 for label in labels):
        return None
    if any(byte <= 0x20 or byte >= 0x7F or byte == 0x5C for byte in name.encode("ascii")):
        return None
    return b"".join(bytes((len(label),)) + label for label in labels) + b"\0"


def question(wire: bytes, kind: str, number: int, *, edns: bool = True) -> bytes:
    """Return the packet that asks for a name (``wire_name``) and type; RD and AD set, no DO."""
    head = struct.pack("!HHHHHH", number, _FLAGS, 1, 0, 0, 1 if edns else 0)
    body = wire + struct.pack("!HH", dns.rdatatype.from_text(kind), 1)
    return head + body + (struct.pack("!BHHIH", 0, 41, _PAYLOAD, 0, 0) if edns else b"")


def read_answer(packet: bytes, name: str, kind: str, number: int) -> Answer:
    """Read the packet that answers ``question``.

    Raises BadAnswer (not ours, or nonsense), Refused, Truncated, or Elsewhere.
    """
    if len(packet) < 12 or packet[:2] != number.to_bytes(2, "big") or not packet[2] & 0x80:
        raise BadAnswer("not an answer to this question")
    if packet[2] & 0x02:  # TC, seen before parsing: what was cut need not be well-formed
        raise Truncated
    try:
        message = dns.message.from_wire(_opaque(packet) if kind == "TLSA" else packet, ignore_trailing=True)
    except Exception as error:  # the codec's own classes, ValueError, struct.error ...: all mean nonsense
        raise BadAnswer(f"malformed: {type(error).__name__}") from error
    _check_ours(message, name, kind)
    code = message.rcode()
    if code not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
        raise Refused(code)
    if not isinstance(message, dns.message.QueryMessage):
        raise BadAnswer("another opcode")
    try:
        result = message.resolve_chaining()
    except dns.exception.DNSException as error:  # a chain without end, or records for a missing name
        raise BadAnswer(f"inconsistent: {type(error).__name__}") from error
    canonical = _host(result.canonical_name)
    if result.answer is None and result.cnames and code == dns.rcode.NOERROR and not _has_soa(message):
        raise Elsewhere(canonical)
    reader = _READERS[kind]
    records = [reader(rdata) for _, rdata in zip(range(RECORD_LIMIT), result.answer or (), strict=False)]
    return Answer(
        canonical,
        kind,
        tuple(records),
        max(0, result.minimum_ttl),
        authentic=bool(message.flags & dns.flags.AD),
        nxdomain=code == dns.rcode.NXDOMAIN,
    )


def _has_soa(message: dns.message.Message) -> bool:
    return any(rrset.rdtype == dns.rdatatype.SOA for rrset in message.authority)


def _opaque(packet: bytes) -> bytes:
    """Give the question and the answers of type TLSA the type _OCTETS.  IndexError for nonsense."""
    if packet[4:6] != b"\0\1":
        return packet
    made = bytearray(packet)
    at = 12
    for number in range(1 + int.from_bytes(packet[6:8], "big")):
        while 0 < packet[at] < 0xC0:
            at += 1 + packet[at]
        at += 2 if packet[at] else 1
        if packet[at] << 8 | packet[at + 1] == _TLSA:
            made[at : at + 2] = _OCTETS.to_bytes(2, "big")
        at += 4 if number == 0 else 10 + (packet[at + 8] << 8 | packet[at + 9])
    return bytes(made)


def _check_ours(message: dns.message.Message, name: str, kind: str) -> None:
    if len(message.question) != 1:
        # RFC 5452 9.1.  A server that does not understand may leave the question out, with an error code.
        if message.rcode() in (dns.rcode.FORMERR, dns.rcode.NOTIMP) and not message.question:
            raise Refused(message.rcode())
        raise BadAnswer("not one question")
    asked = message.question[0]
    if (
        asked.rdtype != (_OCTETS if kind == "TLSA" else dns.rdatatype.from_text(kind))
        or asked.rdclass != dns.rdataclass.IN
        or asked.name.to_text(omit_final_dot=True).lower() != name.lower()
    ):
        raise BadAnswer("another question")
