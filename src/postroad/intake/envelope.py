"""The envelope on its way in: addresses to standard form, mapped, expanded, and none twice."""

from __future__ import annotations

from postroad.base.params import Settings
from postroad.intake import params
from postroad.intake.rules import AddressRules, Role
from postroad.mail.address import fold, to_external
from postroad.mail.rewrite import Rewriter
from postroad.model import params as model
from postroad.model.message import NEVER, SUCCESS, Recipient

_DAEMON = "mailer-daemon"


class Duplicates:
    """Remembers recipients, up to a limit (0 for none)."""

    __slots__ = ("_by_original", "_limit", "_seen")

    def __init__(self, limit: int, *, by_original: bool) -> None:
        self._limit = limit
        self._by_original = by_original
        self._seen: set[str] = set()

    def is_new(self, recipient: Recipient) -> bool:
        """Return whether this one was not met before, and remember it.

        With enable_original_recipient the same mailbox counts once for each address that led to it.
        """
        key = recipient.address
        if self._by_original:
            key = f"{recipient.orcpt}\n{recipient.notify}\n{recipient.original}\n{key}"
        key = fold(key)
        if key in self._seen:
            return False
        if not self._limit or len(self._seen) < self._limit:
            self._seen.add(key)
        return True


class Envelope:
    """What one message's envelope becomes.  ``expanded`` are recipients whose sender asked to be told."""

    __slots__ = ("expanded", "recipients", "sender")

    def __init__(self, sender: str, recipients: list[Recipient]) -> None:
        self.sender = sender
        self.recipients = recipients
        self.expanded: list[Recipient] = []


class EnvelopeRules:
    """The rules for envelopes; made once for each set of settings."""

    __slots__ = ("_by_original", "_daemon", "_empty", "_limit", "_rewrite", "rules")

    def __init__(self, settings: Settings, rewriter: Rewriter, rules: AddressRules) -> None:
        self.rules = rules
        self._rewrite = rewriter.rewrite
        self._by_original = settings[model.ENABLE_ORIGINAL_RECIPIENT]
        self._limit = settings[params.DUPLICATE_FILTER_LIMIT]
        self._empty = settings[model.EMPTY_ADDRESS_RECIPIENT]
        self._daemon = fold(rewriter.rewrite(_DAEMON))

    def sender(self, address: str) -> str:
        """Return a sender in standard form.  The daemon's own address is the null sender."""
        if not address:
            return ""
        clean = self._rewrite(address)
        return "" if clean[:13].lower() == _DAEMON and fold(clean) == self._daemon else clean

    def plain(self, sender: str, recipients: list[Recipient]) -> Envelope:
        """Return the envelope where no tables are configured.  The recipients' objects are used further."""
        return Envelope(self.sender(sender), self.recipients(recipients))

    def recipients(self, recipients: list[Recipient]) -> list[Recipient]:
        """Return the recipients in standard form where no tables are configured, none twice."""
        for recipient in recipients:
            recipient.address = self._rewrite(recipient.address or self._empty)
        if len(recipients) > 1:
            duplicates = Duplicates(self._limit, by_original=self._by_original)
            recipients = [recipient for recipient in recipients if duplicates.is_new(recipient)]
        return recipients

    async def mapped(self, sender: str, recipients: list[Recipient], queue_id: str, *, copies: bool = True) -> Envelope:  # fmt: skip  # noqa: E501
        """Return the envelope with all that is configured.  RefusedError: a table could not be asked.

        ``copies`` off adds no automatic BCC: for mail that is made or forwarded here.
        """
        rules = self.rules
        envelope = Envelope(self.sender(sender), [])
        collector = _Collector(self, envelope, queue_id)
        if envelope.sender and rules.maps(Role.ENVELOPE_SENDER):
            envelope.sender = await rules.apply(envelope.sender, Role.ENVELOPE_SENDER, queue_id)
        if copies and rules.sender_copies and envelope.sender:
            await collector.copy(await rules.sender_copies.text(envelope.sender, queue_id))
        for recipient in recipients:
            recipient.address = await self._mapped(recipient.address or self._empty, queue_id)
            address = recipient.address
            await collector.add(recipient)
            if copies and rules.recipient_copies and address:
                await collector.copy(await rules.recipient_copies.text(address, queue_id))
        if copies:
            await collector.copy(rules.always_bcc)
        return envelope

    async def _mapped(self, address: str, queue_id: str) -> str:
        clean = self._rewrite(address)
        if self.rules.maps(Role.ENVELOPE_RECIPIENT):
            return await self.rules.apply(clean, Role.ENVELOPE_RECIPIENT, queue_id)
        return clean

    def duplicates(self) -> Duplicates:
        """Return an empty filter."""
        return Duplicates(self._limit, by_original=self._by_original)


class _Collector:
    """Gathers the recipients of one message."""

    __slots__ = ("_duplicates", "_envelope", "_queue_id", "_rules")

    def __init__(self, rules: EnvelopeRules, envelope: Envelope, queue_id: str) -> None:
        self._rules = rules
        self._envelope = envelope
        self._queue_id = queue_id
        self._duplicates = rules.duplicates()

    async def add(self, recipient: Recipient) -> None:
        """Take a recipient whose address is mapped, and expand it."""
        aliases = self._rules.rules.aliases
        if aliases is None:
            self._take(recipient)
            return
        targets = await aliases.expand(recipient.address, self._queue_id)
        if targets == [recipient.address]:
            self._take(recipient)
            return
        notify = recipient.notify
        if notify & SUCCESS:
            # RFC 3461 5.2.7.3: the sender is told now that the address was expanded, and of no success later.
            self._envelope.expanded.append(recipient)
            notify = NEVER if notify == SUCCESS else notify & ~SUCCESS
        for target in targets:
            self._take(Recipient(target, recipient.original, notify, recipient.orcpt))

    async def copy(self, address: str) -> None:
        """Take the address of an automatic copy; its sender is never told of it."""
        if not address:
            return
        clean = await self._rules._mapped(address, self._queue_id)  # noqa: SLF001 - two halves of one thing
        await self.add(Recipient(clean, clean, NEVER))

    def _take(self, recipient: Recipient) -> None:
        if self._duplicates.is_new(recipient):
            self._envelope.recipients.append(recipient)


def original_recipient(address: str) -> str:
    """Return the ORCPT of a recipient for whom the client gave none (RFC 3461 5.2.1, RFC 6533 3)."""
    return f"{'rfc822' if address.isascii() else 'utf-8'};{to_external(address)}"
