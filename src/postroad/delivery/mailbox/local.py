"""local(8), its aliases: mail for a local name goes on to the addresses that the name stands for."""

from __future__ import annotations

import asyncio
import os
import pwd
from collections.abc import Awaitable, Callable, Collection

from postroad.base import tasks
from postroad.base.clock import Clock
from postroad.base.errors import StoreUnavailable, TableUnavailable
from postroad.base.ids import id_of
from postroad.base.log import Log
from postroad.base.params import Settings
from postroad.delivery.mailbox import params as p
from postroad.delivery.mailbox.expand import CannotExpandError, Expander, Target
from postroad.delivery.mailbox.forward import Trace, forwarded, heir, with_head
from postroad.delivery.mailbox.text import field_address
from postroad.delivery.mailbox.virtual import extensions_of
from postroad.delivery.mailbox.wire import BATCH
from postroad.mail.address import fold
from postroad.mail.dates import DateClock
from postroad.mail.received import internal_field
from postroad.model import params as model
from postroad.model.job import Job
from postroad.model.message import Content, Recipient
from postroad.model.outcome import Outcome
from postroad.model.queue import Spool
from postroad.tables.context import TableContext
from postroad.tables.maps import Maps
from postroad.tables.ours import OwnDomains

Expand = Callable[[str, list[Recipient]], Awaitable[list[Recipient]]]


def system_user(name: str) -> bool:
    """Return whether the system knows a user of this name."""
    try:
        pwd.getpwnam(os.fsencode(name).decode("utf-8", "surrogateescape"))
    except (KeyError, ValueError):
        return False
    return True


class LocalAgent:
    """Delivers to aliases only; mail for system users waits until their mailboxes are supported.

    ``new_key`` makes queue ids, ``spool`` (the store's) takes contents that are not in memory.
    ``expand`` maps the recipients of a message that is made here (canonical and virtual aliases).
    ``addresses`` are this machine's.  ``user_exists`` may take its time: it is asked in a thread.
    ValueError for a table that cannot be opened.
    """

    gathers = BATCH

    def __init__(
        self,
        settings: Settings,
        *,
        transport: str,
        tables: TableContext,
        log: Log,
        clock: Clock,
        new_key: Callable[[], int],
        spool: Callable[[int], Spool],
        expand: Expand | None = None,
        addresses: Collection[str] = (),
        user_exists: Callable[[str], bool] = system_user,
    ) -> None:
        self._transport = transport
        self._log = log
        self._clock = clock
        self._new_key = new_key
        self._spool = spool
        self._map = expand
        self._user_exists = user_exists
        specs = settings[model.ALIAS_MAPS]
        self._expander = Expander(
            settings,
            Maps(specs, tables, aliases=True),
            OwnDomains(settings, tables, addresses),
            extensions_of(settings),
        )
        self._hostname = settings[model.MYHOSTNAME]
        self._product = settings[model.MAIL_NAME]
        self._hopcount_limit = settings[model.HOPCOUNT_LIMIT]
        self._delivered_to = "forward" in settings[p.PREPEND_DELIVERED_HEADER]
        self._dates = DateClock()

    def deliver(self, job: Job, report: Callable[[Job], None]) -> None:
        """Expand each recipient; the new messages are in ``job.new_messages`` when it is reported."""

        def ended(_: None, error: BaseException | None) -> None:
            if error is not None:  # a defect of ours: nothing was decided, so nothing is forwarded
                self._log.error(self._transport, f"{job.message.id}: {error!r}")
                job.new_messages.clear()
                job.outcomes = [None] * len(job.recipients)
                job.all(self._outcome("4.3.0", "mail system error"))
            report(job)

        tasks.start(self._deliver(job), ended)

    async def close(self) -> None:
        """Nothing is open."""

    async def _deliver(self, job: Job) -> None:
        try:
            trace = Trace(job.content)
        except StoreUnavailable as error:
            self._log.warning(self._transport, str(error))
            job.all(self._outcome("4.3.0", "content cannot be read"))
            return
        begun = self._clock.steady()
        for at, recipient in enumerate(job.recipients):
            made = len(job.new_messages)
            try:
                outcome = await self._recipient(job, recipient, trace)
            except CannotExpandError as error:
                outcome = self._outcome(error.status, str(error))
            except (TableUnavailable, StoreUnavailable) as error:
                self._log.warning(self._transport, str(error))
                words = (
                    "alias database unavailable"
                    if isinstance(error, TableUnavailable)
                    else "queue file write error"
                )
                outcome = self._outcome("4.3.0", words)
            if outcome.status[0] != "2":
                del job.new_messages[made:]
            outcome.transfer = self._clock.steady() - begun
            job.outcomes[at] = outcome

    async def _recipient(self, job: Job, recipient: Recipient, trace: Trace) -> Outcome:
        address = recipient.address
        if fold(address) in trace.delivered_to:
            return self._outcome("5.4.6", f"mail forwarding loop for {address}")
        if trace.hops >= self._hopcount_limit:
            return self._outcome("5.4.6", "too many hops")
        if not self._expander.names_of(address)[0]:
            return self._outcome("5.1.3", f'null username in "{address}"')
        targets = await self._expander.expand(address)
        if targets is None:
            return await self._user(address)
        return await self._forward(job, recipient, targets)

    async def _user(self, address: str) -> Outcome:
        """Return what becomes of mail for a name that is no alias."""
        local, extension = self._expander.names_of(address)
        name = local[: len(local) - len(extension)]
        if await tasks.spawn(asyncio.to_thread(self._user_exists, name)):
            return self._outcome("4.3.0", "mailboxes of system users are not delivered yet")
        if name in ("postmaster", "mailer-daemon"):
            # Mail that reports trouble must not make more of it.
            self._log.warning(self._transport, f"required alias not found: {name}")
            return self._outcome("2.0.0", "discarded")
        return self._outcome("5.1.1", f'unknown user: "{name}"')

    async def _forward(self, job: Job, old: Recipient, targets: list[Target]) -> Outcome:
        """Make one message for each sender that the targets have."""
        groups: dict[str, list[str]] = {}
        for target in targets:
            groups.setdefault(target.sender, []).append(target.address)
        ids = []
        for owner, addresses in groups.items():
            sender = owner or job.message.sender
            recipients = [heir(old, address, keep_envelope=not owner) for address in addresses]
            if self._map is not None:
                recipients = await self._map(sender, recipients)
            key = self._new_key()
            now = self._clock.now()
            content = self._kept(key, with_head(self._head(key, old.address, now), job.content))
            message = forwarded(job.message, key, sender, recipients, content, now, keep_envelope=not owner)
            job.new_messages.append(message)
            ids.append(id_of(key))
        outcome = self._outcome("2.0.0", f"forwarded as {', '.join(ids)}")
        # RFC 3461 5.2.7: an alias is expanded, a list has taken delivery.
        outcome.action = "delivered" if any(groups) else "expanded"
        return outcome

    def _head(self, key: int, address: str, now: float) -> bytes:
        date = self._dates.text(now)
        head = internal_field(self._hostname, self._product, id_of(key), date).encode()
        if self._delivered_to:
            head += b"Delivered-To: %s\r\n" % field_address(fold(address))
        return head

    def _kept(self, key: int, content: Content) -> Content:
        """Return a content that the store can take: in memory, or in a file of its own."""
        if content.data is not None:
            return content
        spool = self._spool(key)
        try:
            for piece in content.pieces():
                spool.write(piece)
            return spool.finish()
        except BaseException:
            spool.abort()
            raise

    def _outcome(self, status: str, text: str) -> Outcome:
        return Outcome(status, text, self._transport)
