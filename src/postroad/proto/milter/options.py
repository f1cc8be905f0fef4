"""What a milter connection can do: the versions of the protocol, and what both sides agreed on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from postroad.proto.milter import codec
from postroad.proto.milter.codec import Fields, MilterError

#: All that a milter may ask for: add headers, change the body, add and delete recipients, change
#: headers, quarantine, change the sender, recipients with parameters, its own lists of macros.
ACTIONS: Final = 0x1FF

# Events that a milter does not want, and replies that it will not give (SMFIP_NO..., SMFIP_NR_...).
_UNWANTED: Final = {
    codec.CONNECT: 0x1,
    codec.HELO: 0x2,
    codec.MAIL: 0x4,
    codec.RCPT: 0x8,
    codec.BODY: 0x10,
    codec.HEADER: 0x20,
    codec.END_OF_HEADER: 0x40,
    codec.UNKNOWN: 0x100,
    codec.DATA: 0x200,
}
_SILENT: Final = {
    codec.HEADER: 0x80,
    codec.CONNECT: 0x1000,
    codec.HELO: 0x2000,
    codec.MAIL: 0x4000,
    codec.RCPT: 0x8000,
    codec.DATA: 0x10000,
    codec.UNKNOWN: 0x20000,
    codec.END_OF_HEADER: 0x40000,
    codec.BODY: 0x80000,
}
_NO_HEADER_REPLY: Final = 0x80
_SKIP: Final = 0x400
_REJECTED_RECIPIENTS: Final = 0x800
_LEADING_SPACE: Final = 0x100000
_VERSION_2: Final = 0x7F
_VERSION_3: Final = _VERSION_2 | 0x100
_VERSION_4: Final = _VERSION_3 | 0x200
_VERSION_6: Final = _VERSION_4 | 0x1FFC80
_VERSIONS: Final = {2: _VERSION_2, 3: _VERSION_3, 4: _VERSION_4, 6: _VERSION_6}

#: The stages for which a milter can name the macros that it wants, by their number (SMFIM_...).
STAGES: Final = (
    codec.CONNECT, codec.HELO, codec.MAIL, codec.RCPT, codec.DATA, codec.END, codec.END_OF_HEADER,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Offer:
    """What the server offers: the version, and of the events what the milter may decline."""

    version: int
    events: int


def read_offer(text: str) -> Offer:
    """Return what ``milter_protocol`` offers; ValueError for what it cannot be."""
    version, extra = 0, 0
    for word in text.replace(",", " ").split():
        if word.isdecimal() and word.isascii() and int(word) in _VERSIONS and not version:
            version = int(word)
        elif word.lower() == "no_header_reply":
            extra |= _NO_HEADER_REPLY
        else:
            raise ValueError(f"bad protocol information: {text}")
    if not version:
        raise ValueError("no protocol version information")
    return Offer(version, _VERSIONS[version] | extra)


@dataclass(slots=True)
class Terms:
    """What both sides agreed on.  ``symbols`` are the macros that the milter wants, by event."""

    version: int
    actions: int
    events: int
    symbols: dict[bytes, tuple[str, ...]] = field(default_factory=dict)
    unusual: str = ""  # something for the log

    def wants(self, event: bytes) -> bool:
        """Whether the milter is told of this event."""
        if (event is codec.DATA and self.version < 4) or (event is codec.UNKNOWN and self.version < 3):
            return False
        return not self.events & _UNWANTED.get(event, 0)

    def answers(self, event: bytes) -> bool:
        """Whether the milter answers this event."""
        return not self.events & _SILENT.get(event, 0)

    @property
    def may_skip(self) -> bool:
        """Whether the milter may ask to be told no more of the same."""
        return bool(self.events & _SKIP)

    @property
    def rejected_recipients(self) -> bool:
        """Whether the milter wants to know of recipients that were refused."""
        return bool(self.events & _REJECTED_RECIPIENTS)

    @property
    def leading_space(self) -> bool:
        """Whether values of header fields keep the blank behind the colon, in both directions."""
        return bool(self.events & _LEADING_SPACE)


def read_terms(data: bytes, offer: Offer) -> Terms:
    """Return what a milter answers to an offer.  MilterError when that cannot be."""
    fields = Fields(data)
    version, actions, events = fields.number(), fields.number(), fields.number()
    if version > offer.version:
        raise MilterError(f"protocol version {version} conflict with MTA protocol version {offer.version}")
    if actions & ~ACTIONS:
        raise MilterError(f"request mask {actions:#x} conflict with MTA request mask {ACTIONS:#x}")
    terms = Terms(version, actions, events & offer.events)
    if not 2 <= version <= 6:
        terms.unusual = f"unexpected protocol version {version}"
    while fields:
        number = fields.number()
        names = fields.string().decode("utf-8", "surrogateescape").replace(",", " ").split()
        if number < len(STAGES):
            terms.symbols[STAGES[number]] = tuple(names)
        else:
            terms.unusual = f"ignoring unknown macro type {number}"
    return terms
