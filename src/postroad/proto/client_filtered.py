"""A conversation whose replies are looked up, a line at a time, before they count: ``smtp_reply_filter``."""

from __future__ import annotations

from postroad.model.outcome import Outcome
from postroad.proto.client import ClientSession
from postroad.proto.client_stages import CLOSED, HANDSHAKE, Event
from postroad.proto.replies import REPLY_LIMIT, GarbledReply, ReplyParser, printable

#: Bytes that may wait to be looked up: the answers to an envelope of many recipients are some 64 KiB.
_WAITING_LIMIT = 16 * REPLY_LIMIT


class FilteredParser(ReplyParser):
    """Cuts a stream into lines; each becomes part of a reply when somebody has said what it is.

    ``question`` is the line that is asked about, None when none is.
    """

    __slots__ = ("_line", "_raw", "question")

    def __init__(self, line_limit: int = 2048) -> None:
        super().__init__(line_limit)
        self._raw = b""  # nobody was asked about it
        self._line = b""
        self.question: str | None = None

    def feed(self, data: bytes) -> None:
        """Take bytes, cut anywhere.  Too many are cut off: ``ask`` says so."""
        self._raw = (self._raw + data)[: _WAITING_LIMIT + 1]

    @property
    def unread(self) -> bytes:
        """Nothing: what the bytes mean shows only when they are looked up."""
        return b""

    def drop(self, replies: bytes) -> bool:  # noqa: ARG002 - as above
        """Do nothing."""
        return False

    @property
    def pending(self) -> bool:
        """Whether there is anything that no reply was made of yet."""
        return bool(self._raw) or self.question is not None or super().pending

    def ask(self) -> bool:
        """Begin to ask about the next line, if it is there and none is asked about; raises GarbledReply."""
        raw = self._raw
        if self.question is not None or not raw:
            return False
        end = raw.find(b"\n")
        if end > REPLY_LIMIT or (end < 0 and len(raw) > REPLY_LIMIT) or len(raw) > _WAITING_LIMIT:
            self._raw = b""
            raise GarbledReply(printable(raw[:100]))
        if end < 0:
            return False
        self._raw = raw[end + 1 :]
        self._line = line = raw[: end - 1] if raw[end - 1 : end] == b"\r" else raw[:end]
        self.question = printable(line[: self.line_limit])
        return True

    def answer(self, line: str | None) -> None:
        """Say what the line is to be taken for, None for itself."""
        made = self._line if line is None else " ".join(line.splitlines()).encode("utf-8", "replace")
        self.question = None
        self.buffer += made + b"\r\n"

    def forget(self) -> None:
        """Make nothing of what has come."""
        self.question = None
        self._raw = self._line = self.buffer = b""


class FilteredSession(ClientSession):
    """A conversation with a filter.

    At a FILTER event ``question`` is to be looked up; then ``filtered`` or ``unfiltered`` is called.
    Until then there are only WAITs.
    """

    __slots__ = ()

    @property
    def question(self) -> str:
        """The line that is asked about."""
        return self._filter.question or ""

    def next_event(self) -> Event:
        """Say what the driver has to do; WAIT when more bytes, or an answer, are needed."""
        event = super().next_event()
        if event is not Event.WAIT:
            return event
        try:
            return Event.FILTER if self._filter.ask() else event
        except GarbledReply as garbled:
            return self._garbled(garbled.line)

    def filtered(self, line: str | None) -> None:
        """Take the line for another, or with None as it stands."""
        self._filter.answer(line)

    def unfiltered(self) -> Event:
        """The filter could not be asked: what the server said is not known, and never will be."""
        self._filter.forget()
        text = f"local data error while talking to {self.peer.host}"
        if self.current is not None:
            return self.abandon("4.3.0", text)
        if self.stage not in HANDSHAKE:
            self.stage = CLOSED
            return Event.BROKEN
        self.failure = Outcome("4.3.0", text, self.peer.relay)
        return Event.REFUSED

    @property
    def _filter(self) -> FilteredParser:
        parser = self._parser
        assert isinstance(parser, FilteredParser)
        return parser

    def _new_parser(self) -> ReplyParser:
        return FilteredParser(self._manners.reply_limit)
