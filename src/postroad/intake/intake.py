"""Accepted means on disk: messages are cleaned, completed and given to the store (cleanup(8))."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from postroad.base.clock import Clock
from postroad.base.errors import TableUnavailable
from postroad.base.ids import QueueIds, id_of
from postroad.base.log import Log
from postroad.base.params import Settings
from postroad.intake import params
from postroad.intake.characters import character_set
from postroad.intake.clients import LocalClients
from postroad.intake.envelope import Envelope, EnvelopeRules, original_recipient
from postroad.intake.headers import HeaderJob, HeaderRules, mailbox_lines
from postroad.intake.origin import Origins, attributes
from postroad.intake.receiver import Receiver
from postroad.intake.refusal import WRITE_ERROR, RefusedError
from postroad.intake.rules import AddressRules
from postroad.intake.space import Space, free_bytes
from postroad.mail.header import block_end, strict_end
from postroad.mail.rewrite import Rewriter
from postroad.model import params as model
from postroad.model.message import Content, Message, Recipient
from postroad.model.queue import Store
from postroad.model.session import Session, Transaction
from postroad.net.interfaces import OwnAddresses
from postroad.tables.context import TableContext


class Prepared:
    """A message's envelope, and what stands in front of the rest of its content.

    ``front`` replaces the first ``used`` bytes of the content.
    """

    __slots__ = ("envelope", "front", "local", "used", "wide")

    def __init__(self, envelope: Envelope, front: bytes, used: int, *, wide: bool, local: bool) -> None:
        self.envelope = envelope
        self.front = front
        self.used = used
        self.wide = wide  # the header is not ASCII
        self.local = local  # its addresses were completed as local ones


class Intake:
    """Takes messages in for the services of one set of settings; implements ``model.ports.Intake``.

    ``accepted`` is told of each message once it is on disk; ``expanded`` of recipients that became
    others although their sender asked to be told of success (RFC 3461 5.2.7.3).
    """

    def __init__(
        self,
        settings: Settings,
        *,
        store: Store,
        ids: QueueIds,
        log: Log,
        clock: Clock,
        accepted: Callable[[Message], None],
        tables: TableContext,
        rewriter: Rewriter,
        own: OwnAddresses | None = None,
        expanded: Callable[[Message, Sequence[Recipient]], None] | None = None,
        free: Callable[[str], int] = free_bytes,
    ) -> None:
        self.store = store
        self.log = log
        self.clock = clock
        self.accepted = accepted
        self.expanded = expanded
        self.inline_limit = settings[model.QUEUE_INLINE_LIMIT]
        self._ids = ids
        self._space = Space(settings, log, clock, free)
        self._origins = Origins(settings)
        self._clients = LocalClients(settings, tables, own)
        rules = AddressRules(settings, tables, rewriter, log, own)
        self._mapped = rules.configured
        self.envelopes = EnvelopeRules(settings, rewriter, rules)
        self._headers = HeaderRules(settings, rewriter, rules, log)
        self._remote = False if settings[model.REMOTE_HEADER_REWRITE_DOMAIN] else None
        checked = "no_header_body_checks" not in settings[model.RECEIVE_OVERRIDE_OPTIONS]
        self.stripped = character_set(settings[params.MESSAGE_STRIP_CHARACTERS]) if checked else b""
        unwanted = character_set(settings[params.MESSAGE_REJECT_CHARACTERS]) if checked else b""
        self.unwanted = re.compile(b"[" + re.escape(unwanted) + b"]").search if unwanted else None
        self._detected = _detected_classes(settings)
        self._content_filter = settings[model.CONTENT_FILTER]

    def open(self, session: Session) -> Receiver:
        """Begin a message for the session's transaction; it gets a queue id unless it has one."""
        transaction = session.transaction
        if not transaction.queue_key:
            transaction.queue_key = self._ids.next_key()
        return Receiver(self, session, self.clock.now())

    def new_key(self) -> int:
        """Return a key for a message of our own."""
        return self._ids.next_key()

    def has_space(self, size: int = 0) -> bool:
        """Return whether there is room for a message of ``size`` bytes (0 when the client did not say)."""
        return self._space.has(size)

    async def expand(self, sender: str, recipients: list[Recipient]) -> list[Recipient]:
        """Return the recipients of a message made here, mapped and expanded; no automatic copies.

        TableUnavailable: a table could not be asked, or an alias has no end.  Nothing is lost: try later.
        """
        if not self._mapped:
            return self.envelopes.plain(sender, recipients).recipients
        try:
            envelope = await self.envelopes.mapped(sender, recipients, "internal", copies=False)
        except RefusedError as error:
            raise TableUnavailable(error.reply.line()) from error
        return envelope.recipients

    # --- for mail that is handed on, and not queued

    def heading(self, session: Session) -> bytes:
        """Return the fields that go in front of a message: those of access tables, and Received."""
        received = self._origins.passing(session, self._origins.date(self.clock.now()))
        return _prepended(session.transaction) + received

    async def facts(self, session: Session) -> dict[str, str]:
        """Return what is told of where a message comes from.  TableUnavailable: could not look."""
        found = attributes(session)
        if await self._clients.find(session):
            found["rewrite_context"] = "local"
        return found

    # --- for receivers

    def prepare_now(self, session: Session, content: bytes, arrival: float) -> Prepared | None:
        """Prepare a message if nothing has to wait, None if something may.  Raises RefusedError."""
        local = None if self._mapped else self._clients.now(session)
        if local is None:
            return None
        transaction = session.transaction
        queue_id = id_of(transaction.queue_key)
        date = self._origins.date(arrival)
        sender = self.envelopes.sender(transaction.sender or "")
        start, used, strict = _header_of(session, content)
        context = True if local else self._remote
        if self._headers.completes(context):
            job = _job(session, queue_id, context, sender, date)
            header = self._headers.complete_now(start, job, strict=strict)
            if header is None:
                return None
        else:
            header = self._headers.plain(start, queue_id, strict=strict)
        envelope = Envelope(sender, self.envelopes.recipients(self._recipients(session)))
        received = self._origins.received(session, queue_id, date)
        return _prepared(
            session, envelope, content, (received + header, used), wide=not header.isascii(), local=local
        )

    async def prepare(self, session: Session, content: bytes, arrival: float) -> Prepared:
        """Prepare a message, whatever is configured.  Raises RefusedError."""
        transaction = session.transaction
        queue_id = id_of(transaction.queue_key)
        try:
            local = await self._clients.find(session)
        except TableUnavailable as error:
            self.log.warning("smtpd", str(error))
            raise RefusedError(WRITE_ERROR) from error
        sender, recipients = transaction.sender or "", self._recipients(session)
        if self._mapped:
            envelope = await self.envelopes.mapped(sender, recipients, queue_id)
        else:
            envelope = self.envelopes.plain(sender, recipients)
        header, used, strict = _header_of(session, content)
        context = True if local else self._remote
        date = self._origins.date(arrival)
        if self._headers.completes(context):
            job = _job(session, queue_id, context, envelope.sender, date)
            header = await self._headers.complete(header, job, strict=strict)
        else:
            header = self._headers.plain(header, queue_id, strict=strict)
        received = self._origins.received(session, queue_id, date)
        return _prepared(
            session, envelope, content, (received + header, used), wide=not header.isascii(), local=local
        )

    def message(self, session: Session, prepared: Prepared, content: Content, arrival: float) -> Message:
        """Return the message that is to be queued."""
        transaction = session.transaction
        envelope = prepared.envelope
        message = Message(transaction.queue_key, envelope.sender, envelope.recipients, arrival, content)
        message.attributes = attributes(session)
        if prepared.local:
            message.attributes["rewrite_context"] = "local"
        message.ret = transaction.ret
        message.envid = transaction.envid
        message.eight_bit = transaction.eight_bit
        if transaction.smtputf8 or (self._detected and self._detects(session)):
            # RFC 6531 3.1: only what needs it asks it of the next host
            message.smtputf8 = prepared.wide or not _is_ascii(envelope)
        if self._content_filter:
            message.attributes["content_filter"] = self._content_filter
        if transaction.actions:
            _act(message, transaction)
        return message

    def _detects(self, session: Session) -> bool:
        return ("sendmail" if session.client.local_uid is not None else "smtpd") in self._detected

    def _recipients(self, session: Session) -> list[Recipient]:
        recipients = session.transaction.recipients
        if session.client.local_uid is None:
            for recipient in recipients:
                if not recipient.orcpt:
                    recipient.orcpt = original_recipient(recipient.original)
        extra = session.transaction.actions.get("BCC")
        if not extra:
            return recipients
        return recipients + [Recipient(address, notify=1) for address in extra.split("\n")]


def _job(session: Session, queue_id: str, context: bool | None, sender: str, date: str) -> HeaderJob:
    return HeaderJob(queue_id, context, sender, date, str(session.memory.get("fullname", "")))


def _prepared(session: Session, envelope: Envelope, content: bytes, header: tuple[bytes, int], *, wide: bool, local: bool) -> Prepared:  # fmt: skip  # noqa: E501
    """``header`` is what goes in front, and how many bytes of the content it replaces."""
    front, used = header
    if session.transaction.actions:
        front = _prepended(session.transaction) + front
    # a line that is no field ends the header: an empty line must stand in front of the body
    if used < len(content) and not content.startswith(b"\r\n", used):
        front += b"\r\n"
    return Prepared(envelope, front, used, wide=wide, local=local)


def _header_of(session: Session, content: bytes) -> tuple[bytes, int, bool]:
    """Return the header, how many bytes of the content it stands for, and whether it is strict."""
    end = strict_end(content)
    if end and content.startswith(b"\r\n", end):
        return content[:end], end, True
    # mbox separators of sendmail(1); behind DATA they are fields already, in a chunk of BDAT they are text
    if content[:1] in b">F" and session.client.local_uid is not None:
        changed = mailbox_lines(content)
        end = block_end(changed)
        return changed[:end], end - (len(changed) - len(content)), False
    end = block_end(content)
    return content[:end], end, False


def _detected_classes(settings: Settings) -> frozenset[str]:
    if not settings[model.SMTPUTF8_ENABLE]:
        return frozenset()
    names = settings[model.SMTPUTF8_AUTODETECT_CLASSES]
    classes = frozenset(names)
    return classes | {"sendmail", "smtpd"} if "all" in classes else classes


def _is_ascii(envelope: Envelope) -> bool:
    return envelope.sender.isascii() and all(r.address.isascii() for r in envelope.recipients)


def _prepended(transaction: Transaction) -> bytes:
    added = transaction.actions.get("PREPEND")
    return b"".join(_field(line) for line in added.split("\n")) if added else b""


def _field(line: str) -> bytes:
    """Return a line as a header field; nothing when it is none, for it would end the header."""
    text = line.replace("\r", " ").rstrip().encode("utf-8", "surrogateescape") + b"\r\n"
    return text if block_end(text) == len(text) else b""


def _act(message: Message, transaction: Transaction) -> None:
    """Do what access tables asked for (access(5)): HOLD, FILTER, and REDIRECT, which no filter sees."""
    actions = transaction.actions
    if "HOLD" in actions:
        message.held = True
    if "FILTER" in actions:
        message.attributes["content_filter"] = actions["FILTER"]
    if "REDIRECT" in actions:
        message.attributes.pop("content_filter", None)
        first = message.recipients[0]
        message.recipients = [Recipient(actions["REDIRECT"], first.original, first.notify, first.orcpt)]
