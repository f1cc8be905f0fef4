"""The course of one connection to a milter: what is sent for an event, and what its answer means.

``begin``, then for each event ``event``; while ``awaited`` names one, ``feed`` what comes and ask
``next`` until it says what the milter decided.  MilterError ends the connection: nothing that it
said of the message counts any more.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Final, NamedTuple

from postroad.model.reply import Reply
from postroad.proto.milter import codec
from postroad.proto.milter.codec import COMMAND_NAMES, REPLY_NAMES, MilterError, PacketReader
from postroad.proto.milter.edits import Edits
from postroad.proto.milter.options import ACTIONS, Offer, Terms, read_terms
from postroad.proto.milter.replies import read_reply

#: Packets that may answer one event; a milter that says "still at it" once a second has a day.
_MOST_PACKETS: Final = 100_000
REJECTED: Final = Reply(550, "5.7.1", "Command rejected")
UNAVAILABLE: Final = Reply(451, "4.7.1", "Service unavailable - try again later")
CLOSING: Final = Reply(421, "4.7.0", "Server closing connection")


class Verdict(Enum):
    """What a milter decides of an event."""

    CONTINUE = auto()
    ACCEPT = auto()  # nothing more of this message, or of this connection
    DISCARD = auto()
    REFUSE = auto()  # with a reply
    SHUTDOWN = auto()
    SKIP = auto()  # no more events like this one


class Decision(NamedTuple):
    """A verdict and, if it refuses, the reply."""

    verdict: Verdict
    reply: Reply | None = None


CONTINUE: Final = Decision(Verdict.CONTINUE)
_WORDS: Final = {
    b"c": CONTINUE,
    b"a": Decision(Verdict.ACCEPT),
    b"d": Decision(Verdict.DISCARD),
    b"r": Decision(Verdict.REFUSE, REJECTED),
    b"t": Decision(Verdict.REFUSE, UNAVAILABLE),
    b"4": Decision(Verdict.SHUTDOWN, CLOSING),
}


class MilterMachine:
    """One connection.

    ``body_limit`` bounds the body that the milter may put in a message's place.  ``packets`` grows
    with each packet that came: while it does, the milter is at work.
    """

    __slots__ = ("_body_limit", "_count", "_offer", "_reader", "awaited", "edits", "packets", "quarantined", "terms")  # fmt: skip  # noqa: E501

    def __init__(self, offer: Offer, body_limit: int) -> None:
        self._offer = offer
        self._body_limit = body_limit
        self._reader = PacketReader()
        self._count = 0
        self.packets = 0
        self.terms: Terms | None = None
        self.awaited = b""
        self.edits = Edits(body_limit)
        self.quarantined = False

    def begin(self) -> bytes:
        """Return what is sent first; the answer makes ``terms``, and a CONTINUE."""
        self.awaited = codec.NEGOTIATE
        return codec.negotiation(self._offer.version, ACTIONS, self._offer.events)

    def event(self, code: bytes, data: bytes = b"") -> bytes:
        """Return the packet of an event that the milter wants, and await its answer if it gives one."""
        self._expect(code)
        return codec.packet(code, data)

    def part(self, code: bytes, size: int) -> bytes:
        """Do the same for data, ``size`` bytes, that the caller sends behind it."""
        self._expect(code)
        return codec.head(code, size)

    def _expect(self, code: bytes) -> None:
        assert self.terms is not None
        if code == codec.END:
            self.edits = Edits(self._body_limit)
        self.quarantined = False
        self._count = 0
        self.awaited = code if self.terms.answers(code) else b""

    def abort(self) -> bytes:
        """Return what ends a message that is not to be."""
        self.awaited = b""
        self.edits = Edits(self._body_limit)
        return codec.packet(codec.ABORT)

    def feed(self, data: bytes) -> None:
        """Take bytes that came.  MilterError for bytes that nobody asked for."""
        self._reader.feed(data)
        if not self.awaited:
            raise MilterError("unexpected filter response while no event was sent")

    def next(self) -> Decision | None:
        """Return the decision on the event that is awaited, None while there is none.  MilterError."""
        while self.awaited:
            found = self._reader.next()
            if found is None:
                return None
            self.packets += 1
            self._count += 1
            if self._count > _MOST_PACKETS:
                raise MilterError("too many packets in one reply")
            decision = self._take(*found)
            if decision is not None:
                event, self.awaited = self.awaited, b""
                if event == codec.END:
                    self.edits.finish()
                if self._reader.size:
                    raise MilterError(f"unexpected data after the reply to {COMMAND_NAMES[event]}")
                return decision
        return None

    def _take(self, code: bytes, data: bytes) -> Decision | None:
        if self.awaited == codec.NEGOTIATE:
            if code != codec.NEGOTIATE:
                shown = code.decode("latin-1")
                raise MilterError(f'unexpected reply "{shown}" in initial handshake')
            self.terms = read_terms(data, self._offer)
            return CONTINUE
        decision = _WORDS.get(code)
        if decision is not None:
            codec.Fields(data).finish(REPLY_NAMES[code])
            return self._permitted(decision)
        if code == b"y":
            return Decision(Verdict.REFUSE, read_reply(data))
        if code == b"p":
            return None
        if code == b"q" and self.awaited not in (codec.CONNECT, codec.HELO):
            self.quarantined = True  # the reason is the milter's own affair
            return None
        if code == b"s" and self.terms is not None and self.terms.may_skip:
            return Decision(Verdict.SKIP)
        if self.awaited == codec.END and self.edits.take(code, data):
            return None
        name = REPLY_NAMES.get(code, "(unknown filter reply)")
        raise MilterError(f"unexpected filter response {name} after event {COMMAND_NAMES[self.awaited]}")

    def _permitted(self, decision: Decision) -> Decision:
        if decision.verdict is Verdict.DISCARD and self.awaited in (codec.CONNECT, codec.HELO):
            raise MilterError("DISCARD action is not allowed for connect or helo")
        return decision
