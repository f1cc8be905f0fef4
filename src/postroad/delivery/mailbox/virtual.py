"""virtual(8): delivery to mailboxes that tables know, of users that the system does not."""

from __future__ import annotations

import os
from collections.abc import Callable

from postroad.base import tasks
from postroad.base.clock import Clock
from postroad.base.errors import TableUnavailable
from postroad.base.log import Log
from postroad.base.params import Settings
from postroad.delivery.mailbox import params as p
from postroad.delivery.mailbox.direct import Writer
from postroad.delivery.mailbox.request import Delivery, Locking, Result
from postroad.delivery.mailbox.text import from_line, head_of
from postroad.delivery.mailbox.wire import BATCH
from postroad.mail.address import Extensions, fold
from postroad.model import params as model
from postroad.model.job import Job
from postroad.model.message import Message, Recipient
from postroad.model.outcome import Outcome
from postroad.tables.context import TableContext
from postroad.tables.maps import Maps

_MISCONFIGURED = "mail system configuration error"


def base_of(settings: Settings) -> bytes:
    """Return $virtual_mailbox_base as deliveries and the helper's bounds have it; b"" when there is none."""
    base = settings[p.VIRTUAL_MAILBOX_BASE]
    return os.fsencode(base.rstrip("/") or "/") if base else b""


def extensions_of(settings: Settings) -> Extensions:
    """Return how local parts are split."""
    return Extensions(
        settings[model.RECIPIENT_DELIMITER],
        settings[model.DOUBLE_BOUNCE_SENDER],
        settings[model.OWNER_REQUEST_SPECIAL],
    )


class VirtualAgent:
    """Delivers to Maildirs and mbox files below virtual_mailbox_base.

    ``transport`` is its name in master.cf, ``program`` the name that it logs under.  ValueError for
    a table that cannot be opened.
    """

    gathers = BATCH

    def __init__(self, settings: Settings, *, transport: str, writer: Writer, tables: TableContext, log: Log, clock: Clock) -> None:  # fmt: skip  # noqa: E501
        self._transport = transport
        self._writer = writer
        self._log = log
        self._clock = clock
        mailboxes = settings[model.VIRTUAL_MAILBOX_MAPS]
        uids, gids = settings[p.VIRTUAL_UID_MAPS], settings[p.VIRTUAL_GID_MAPS]
        self._mailboxes = Maps(mailboxes, tables)
        self._uids = Maps(uids, tables)
        self._gids = Maps(gids, tables)
        self._extensions = extensions_of(settings)
        self._base = base_of(settings)
        self._minimum_uid = settings[p.VIRTUAL_MINIMUM_UID]
        self._fixed_uid = _fixed_id(self._uids, self._minimum_uid)
        self._fixed_gid = _fixed_id(self._gids, 1)
        self._limit = settings[p.VIRTUAL_MAILBOX_LIMIT]
        self._host = settings[model.MYHOSTNAME]
        self._strict_owner = settings[p.STRICT_MAILBOX_OWNERSHIP]
        self._keep_original = settings[model.ENABLE_ORIGINAL_RECIPIENT]
        self._locking = Locking(
            settings[p.VIRTUAL_MAILBOX_LOCK],
            settings[p.DELIVER_LOCK_ATTEMPTS],
            settings[p.DELIVER_LOCK_DELAY],
            settings[p.STALE_LOCK_TIME],
        )

    def deliver(self, job: Job, report: Callable[[Job], None]) -> None:
        """Deliver to each recipient's mailbox; report when all are written or not to be written."""
        errand = _Errand(job, report, self._clock.steady())
        for at, recipient in enumerate(job.recipients):
            tasks.start(
                self._place(recipient, job.message),
                lambda placed, error, at=at: self._placed(errand, at, placed, error),  # type: ignore[misc]
            )

    async def close(self) -> None:
        """Nothing of its own is open: after a reload the writer serves the next settings' agent."""

    def _placed(self, errand: _Errand, at: int, placed: Delivery | Outcome | None, error: BaseException | None) -> None:  # fmt: skip  # noqa: E501
        if isinstance(placed, Delivery):
            self._writer.write(placed, errand.job.content, lambda result: self._written(errand, at, result))
            return
        if placed is None:
            self._log.warning(self._transport, str(error) or repr(error))
            placed = self._outcome(Result("4.3.5", _MISCONFIGURED))
        errand.end(at, placed)

    def _written(self, errand: _Errand, at: int, result: Result) -> None:
        outcome = self._outcome(result)
        outcome.transfer = self._clock.steady() - errand.begun
        errand.end(at, outcome)

    def _outcome(self, result: Result) -> Outcome:
        for warning in result.warnings:
            self._log.warning(self._transport, warning)
        return Outcome(result.status, result.text, self._transport)

    async def _place(self, recipient: Recipient, message: Message) -> Delivery | Outcome:
        """Return what to write where, or why nothing is written."""
        user = fold(recipient.address)
        path = await self._find(self._mailboxes, user)
        if path is None:
            return Outcome("5.1.1", f'unknown user: "{user}"', self._transport)
        if not self._base.startswith(b"/"):
            return self._misconfigured(
                f"do not specify relative pathname: virtual_mailbox_base = {os.fsdecode(self._base)}"
            )
        minimum = self._minimum_uid
        uid = self._fixed_uid or await self._id(self._uids, user, "uid", "virtual_uid_maps", minimum)
        if isinstance(uid, Outcome):
            return uid
        gid = self._fixed_gid or await self._id(self._gids, user, "gid", "virtual_gid_maps", 1)
        if isinstance(gid, Outcome):
            return gid
        original = recipient.original if self._keep_original else ""
        return Delivery(
            base=self._base,
            path=os.fsencode(path),
            uid=uid,
            gid=gid,
            head=head_of(message.sender, original, recipient.address),
            from_line=b"" if path.endswith("/") else from_line(message.sender, self._clock.now()),
            limit=self._limit,
            host=self._host,
            strict_owner=self._strict_owner,
            locking=self._locking,
        )

    async def _find(self, maps: Maps, user: str) -> str | None:
        try:
            found = await maps.find_address(user, self._extensions)
        except TableUnavailable as error:
            raise TableUnavailable(f"lookup {user}: {error}") from error
        return None if found is None else found.value

    async def _id(self, maps: Maps, user: str, what: str, parameter: str, least: int) -> int | Outcome:
        text = await self._find(maps, user)
        if text is None:
            return self._misconfigured(f"recipient {user}: not found in {parameter}")
        number = _id_of(text, least)
        return number or self._misconfigured(f"recipient {user}: bad {what} {text} in {parameter}")

    def _misconfigured(self, warning: str) -> Outcome:
        return self._outcome(Result("4.3.5", _MISCONFIGURED, (warning,)))


def _id_of(text: str, least: int) -> int:
    """Return a user or group ID, 0 for a text that is none or one below ``least``."""
    return int(text) if text.isascii() and text.isdigit() and least <= int(text) < 1 << 31 else 0


def _fixed_id(maps: Maps, least: int) -> int:
    """Return the ID that ``static:`` gives whatever the key; 0 when it has to be looked up."""
    if not maps.specs or not maps.now or not maps.specs[0].startswith("static:"):
        return 0
    return _id_of(maps.find_now("") or "", least)


class _Errand:
    """One job under way: reports when the last recipient has its outcome."""

    __slots__ = ("_left", "_report", "begun", "job")

    def __init__(self, job: Job, report: Callable[[Job], None], begun: float) -> None:
        self.job = job
        self.begun = begun
        self._report = report
        self._left = len(job.recipients)

    def end(self, at: int, outcome: Outcome) -> None:
        self.job.outcomes[at] = outcome
        self._left -= 1
        if not self._left:
            self._report(self.job)
