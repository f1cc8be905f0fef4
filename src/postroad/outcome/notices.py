"""Who is told what: turns the end of an attempt into notices (bounces, delay warnings, reports).

RFC 3461 5.2 says who may be told: NOTIFY=NEVER nobody, without NOTIFY failures and delays.  A notice
has the null sender, and about a message that has the null sender nobody but the postmaster is told.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime

from postroad.base.clock import Clock
from postroad.base.ids import id_of
from postroad.base.log import Event, Log
from postroad.base.params import Settings
from postroad.filters.edits import body_of, edited_content
from postroad.mail.dates import rfc5322
from postroad.mail.dsn import Entry, Kind, Notice, compose
from postroad.mail.header import block_end
from postroad.model.client import Client
from postroad.model.message import DELAY, FAILURE, SUCCESS, Content, Message, Recipient, Text
from postroad.model.outcome import Outcome
from postroad.model.params import (
    BOUNCE_QUEUE_LIFETIME,
    DELAY_WARNING_TIME,
    DOUBLE_BOUNCE_SENDER,
    MAIL_NAME,
    MAXIMAL_QUEUE_LIFETIME,
    MYHOSTNAME,
    MYORIGIN,
    NOTIFY_CLASSES,
    SMTPUTF8_ENABLE,
)
from postroad.model.ports import LocalFilters
from postroad.model.session import Session, Transaction
from postroad.outcome.params import (
    BOUNCE_NOTICE_RECIPIENT,
    BOUNCE_SIZE_LIMIT,
    DELAY_NOTICE_RECIPIENT,
    DOUBLE_BOUNCE_NOTICE_RECIPIENT,
)

NOTICE = Event(
    "bounce", "%s: %s notification: %s", "A notice about a message was queued; its id stands last."
)
MESSAGE_ID = Event("cleanup", "%s: message-id=<%s>", "The Message-ID of a message we made.")

_NAMES = {
    Kind.FAILURE: "non-delivery",
    Kind.DELAY: "delay",
    Kind.SUCCESS: "delivery status",
}
Told = tuple[Recipient, Outcome]
Expand = Callable[[str, list[Recipient]], Awaitable[list[Recipient]]]


class Notices:
    """Makes notices.  ``expand`` is the intake's rewriting of their recipients (virtual aliases)."""

    def __init__(
        self,
        settings: Settings,
        *,
        content: Callable[[Message], Content],
        new_key: Callable[[], int],
        expand: Expand,
        log: Log,
        clock: Clock,
        filters: LocalFilters | None = None,
    ) -> None:
        self._filters = filters if filters is not None and filters.notices else None
        self._content = content
        self._new_key = new_key
        self._expand = expand
        self._log = log
        self._clock = clock
        self._host = settings[MYHOSTNAME]
        self._origin = settings[MYORIGIN]
        self._mail_name = settings[MAIL_NAME]
        self._limit = settings[BOUNCE_SIZE_LIMIT]
        self._classes = frozenset(name for name in settings[NOTIFY_CLASSES])
        self._double = f"{settings[DOUBLE_BOUNCE_SENDER]}@{self._host}"
        self._ascii = not settings[SMTPUTF8_ENABLE]
        # The intake's parameter: how a From field with a full name is written.
        self._old_from = settings.texts.get("header_from_format") == "obsolete"
        self._late = settings[DELAY_WARNING_TIME]
        self._lifetime = settings[MAXIMAL_QUEUE_LIFETIME]
        self._bounce_lifetime = settings[BOUNCE_QUEUE_LIFETIME]
        self._postmasters = {
            "bounce": settings[BOUNCE_NOTICE_RECIPIENT],
            "2bounce": settings[DOUBLE_BOUNCE_NOTICE_RECIPIENT],
            "delay": settings[DELAY_NOTICE_RECIPIENT],
        }

    async def make(self, message: Message, failed: Sequence[Told], late: Sequence[Told], succeeded: Sequence[Told]) -> list[Message]:  # fmt: skip  # noqa: E501
        """Return the notices that the ends of these recipients ask for, ready to be queued."""
        notices: list[Message] = []
        if self._is_double_bounce(message.sender):
            return notices  # it ends here: a notice about a notice to the postmaster would never end
        failures = [told for told in failed if _wanted(told[0], FAILURE)]
        if failures:
            await self._about(notices, message, Kind.FAILURE, failures, "bounce")
        delays = [told for told in late if _wanted(told[0], DELAY)]
        if delays:
            await self._about(notices, message, Kind.DELAY, delays, "delay")
        if succeeded and message.sender:
            await self._tell(notices, message, Kind.SUCCESS, succeeded, message.sender)
        return notices

    def _is_double_bounce(self, sender: str) -> bool:
        return sender.lower() == self._double.lower()

    async def _about(self, notices: list[Message], message: Message, kind: Kind, told: Sequence[Told], name: str) -> None:  # fmt: skip  # noqa: E501
        """Tell the sender, and the postmaster where notify_classes says so."""
        if message.sender:
            await self._tell(notices, message, kind, told, message.sender)
            if name in self._classes:
                await self._tell(notices, message, kind, told, self._postmasters[name], postmaster=True)
        elif kind is Kind.FAILURE and "2bounce" in self._classes:
            await self._tell(notices, message, kind, told, self._postmasters["2bounce"], postmaster=True)

    async def _tell(self, notices: list[Message], message: Message, kind: Kind, told: Sequence[Told], to: str, *, postmaster: bool = False) -> None:  # fmt: skip  # noqa: E501
        key = self._new_key()
        now = self._clock.now()
        sender = self._double if postmaster else ""
        recipients = await self._expand(sender, [Recipient(to)])
        notice = self._notice(key, now, message, kind, told, to, postmaster=postmaster)
        text = compose(notice, warning_seconds=self._late, lifetime_seconds=self._lifetime)
        received = f"Received: by {self._host} ({self._mail_name})\r\n\tid {id_of(key)}; {rfc5322(now)}\r\n"
        made = Message(key, sender, recipients, now, Text(received.encode() + text))
        made.eight_bit = not text.isascii()
        if self._filters is not None:
            await self._filter(made, self._filters)
        made.smtputf8 = message.smtputf8 or not to.isascii()
        notices.append(made)
        self._log.emit(MESSAGE_ID, made.id, notice.message_id)
        whom = "postmaster" if postmaster else "sender"
        self._log.emit(NOTICE, message.id, f"{whom} {_NAMES[kind]}", made.id)

    def _notice(self, key: int, now: float, message: Message, kind: Kind, told: Sequence[Told], to: str, *, postmaster: bool) -> Notice:  # fmt: skip  # noqa: E501
        # The whole message goes back to its sender, or to the postmaster when there is none.
        whole = (
            kind is Kind.FAILURE
            and message.ret != "HDRS"
            and message.size <= self._limit
            and postmaster is not bool(message.sender)
        )
        return Notice(
            kind=kind,
            sender=f"MAILER-DAEMON@{self._origin}",
            to=to,
            hostname=self._host,
            mail_name=self._mail_name,
            queue_id=message.id,
            arrival=rfc5322(message.arrival),
            date=rfc5322(now),
            boundary=f"{id_of(key)}.{int(now)}/{self._host}",
            message_id=f"{rfc5322_stamp(now)}.{id_of(key)}@{self._host}",
            original_sender=message.sender or f"MAILER-DAEMON@{self._host}",
            entries=[self._entry(kind, recipient, outcome) for recipient, outcome in told],
            envid=message.envid,
            returned=self._returned(message, whole=whole),
            headers_only=not whole,
            smtputf8=message.smtputf8,
            retry_until=rfc5322(message.arrival + self._lifetime),
            postmaster=postmaster,
            old_from=self._old_from,
            ascii_text=self._ascii,
        )

    async def _filter(self, notice: Message, filters: LocalFilters) -> None:
        """Let filters sign a notice.  It is queued whatever they say: who else would tell the sender?"""
        content = notice.content
        assert content is not None
        data = content.data or b""
        header = data[: block_end(data)]
        transaction = Transaction(notice.sender, notice.recipients, queue_key=notice.key)
        session = Session(Client("127.0.0.1", name="localhost", local_uid=0), transaction=transaction)
        outcome = await filters.message(session, header, body_of(content, header))
        if outcome.reply is None and not outcome.discard:
            notice.content = Text(b"".join(edited_content((data,), header, outcome)))
            notice.size = notice.content.size
            notice.held = outcome.hold

    @staticmethod
    def _entry(kind: Kind, recipient: Recipient, outcome: Outcome) -> Entry:
        action = outcome.action if kind is Kind.SUCCESS else kind.value
        return Entry(
            address=recipient.address,
            action=action,
            status=outcome.status,
            text=outcome.text,
            orcpt=recipient.orcpt,
            original=recipient.original,
            remote=outcome.remote,
            reply=outcome.reply,
        )

    def _returned(self, message: Message, *, whole: bool) -> bytes:
        """Return what goes back of the message: all, or its header up to bounce_size_limit."""
        try:
            content = message.content or self._content(message)
            data = next(iter(content.pieces(self._limit)), b"")
        except Exception:  # noqa: BLE001 - bounce(8): a notice is sent even if the message cannot be read
            return b""
        if whole:
            return data
        end = data.find(b"\r\n\r\n")
        return data[: end + 2] if end >= 0 else data[: data.rfind(b"\r\n") + 2]


def rfc5322_stamp(now: float) -> str:
    """Return the time as the digits that begin our Message-IDs: YYYYMMDDhhmmss (UTC)."""
    return datetime.fromtimestamp(now, UTC).strftime("%Y%m%d%H%M%S")


def _wanted(recipient: Recipient, bit: int) -> bool:
    return not recipient.notify or bool(recipient.notify & bit)


def success_wanted(recipient: Recipient, outcome: Outcome) -> bool:
    """Return whether the sender asked to hear of a delivery, and nobody else will tell (RFC 3461 5.2.2)."""
    return bool(recipient.notify & SUCCESS) and not outcome.notified
