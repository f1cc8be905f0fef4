"""The end of an attempt: done, retry or bounce, in one transaction of the store.

Implements ``model.ports.Outcomes``.  Delivery agents say what happened; here it is logged, noted on
the recipients, and decided what follows: leave the queue, wait and try again, or tell the sender.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from postroad.base import tasks
from postroad.base.clock import Clock
from postroad.base.log import Event, Log
from postroad.base.params import Settings
from postroad.model.job import Attempt, Job
from postroad.model.message import Message, Recipient
from postroad.model.outcome import Outcome
from postroad.model.params import (
    BOUNCE_QUEUE_LIFETIME,
    DELAY_LOGGING_RESOLUTION_LIMIT,
    DELAY_WARNING_TIME,
    MAXIMAL_QUEUE_LIFETIME,
    SOFT_BOUNCE,
)
from postroad.model.queue import Settlement, Store
from postroad.outcome.notices import Notices, Told, success_wanted
from postroad.outcome.report import DeliveryLog

REMOVED = Event("qmgr", "%s: removed", "A message has left the queue.")
EXPIRED = Event("qmgr", "%s: from=<%s>, status=%s, returned to sender", "A message was tried for too long.")

Done = Callable[[Sequence[Message]], None]


class AttemptOutcomes:
    """Decides what follows from what agents report."""

    def __init__(
        self,
        settings: Settings,
        *,
        store: Store,
        notices: Notices,
        programs: Mapping[str, tuple[str, Log]],
        back_off: Callable[[float], float],
        log: Log,
        clock: Clock,
    ) -> None:
        self._store = store
        self._notices = notices
        self._log = log
        self._clock = clock
        self._back_off = back_off
        self._delivery_log = DeliveryLog(log, clock, programs, settings[DELAY_LOGGING_RESOLUTION_LIMIT])
        self._soft = settings[SOFT_BOUNCE]
        self._late = settings[DELAY_WARNING_TIME]
        self._lifetime = settings[MAXIMAL_QUEUE_LIFETIME]
        self._bounce_lifetime = settings[BOUNCE_QUEUE_LIFETIME]

    # --- while the attempt goes on

    def report(self, job: Job) -> None:
        """Log each outcome and note it on the recipient and on the attempt."""
        attempt = job.attempt
        if attempt is None:
            return
        line = self._delivery_log.line
        for recipient, outcome in zip(job.recipients, job.outcomes, strict=True):
            if outcome is None:
                continue
            digit = outcome.status[0]
            if digit == "2":
                line(attempt, job, recipient, outcome)
                recipient.done = True
                if recipient.notify and success_wanted(recipient, outcome):
                    attempt.succeeded.append((recipient, outcome))
                continue
            soft = self._soft and digit == "5"
            line(attempt, job, recipient, outcome, soft=soft)
            if digit == "5" and not soft:
                attempt.failed.append((recipient, outcome))
            else:
                recipient.status = "4" + outcome.status[1:]
                recipient.reason = outcome.text
                recipient.remote = outcome.remote

    # --- when every job has reported

    def finish(self, attempt: Attempt, then: Done) -> None:
        """Settle the message.  ``then`` gets the notices that were queued with it."""
        message = attempt.message
        if not attempt.failed and not attempt.succeeded and message.is_done():
            queued = attempt.new_messages
            written = partial(self._written, message, queued, then)
            self._store.settle(Settlement(message, attempt.wall, queued), written)
            return
        now = self._clock.now()
        failed, late = self._verdicts(attempt, now)
        if not failed and not late and not attempt.succeeded:
            self._settle(attempt, [], then)
            return
        tasks.start(
            self._notices.make(message, failed, late, attempt.succeeded),
            lambda notices, error: self._told(attempt, failed, late, notices, error, then),
        )

    def _verdicts(self, attempt: Attempt, now: float) -> tuple[list[Told], list[Told]]:
        """Return who has failed for good, and who is so late that the sender is told."""
        message = attempt.message
        failed = list(attempt.failed)
        refused = {id(recipient) for recipient, _ in failed}
        waiting = [r for r in message.recipients if not r.done and id(r) not in refused and r.reason]
        if attempt.interrupted:
            waiting = []  # not all was tried: what follows from its age has time
        age = now - message.arrival
        forced = bool(message.attributes.get("expired"))
        if waiting and (forced or age >= (self._lifetime if message.sender else self._bounce_lifetime)):
            status = "force-expired" if forced else "expired"
            self._log.emit(EXPIRED, message.id, message.sender, status)
            return failed + [(r, _last(r)) for r in waiting], []
        if self._late and not message.warned and age >= self._late:
            return failed, [(r, _last(r)) for r in waiting]
        return failed, []

    def _told(
        self,
        attempt: Attempt,
        failed: Sequence[Told],
        late: Sequence[Told],
        notices: list[Message] | None,
        error: BaseException | None,
        then: Done,
    ) -> None:
        if notices is None:
            # Without its notice a failure may not end: the message stays, and is tried again.
            self._log.warning("bounce", f"{attempt.message.id}: cannot make the notice: {error}")
            for recipient, outcome in failed:
                recipient.reason = recipient.reason or outcome.text
                recipient.status = "4" + outcome.status[1:]
            self._settle(attempt, [], then)
            return
        for recipient, _outcome in failed:
            recipient.done = True
        if late:
            attempt.message.warned = True
        self._settle(attempt, notices, then)

    def _settle(self, attempt: Attempt, notices: list[Message], then: Done) -> None:
        message = attempt.message
        queued = [*notices, *attempt.new_messages]
        due = attempt.wall  # of no use to a message that is done
        if not message.is_done():
            due = self._clock.now()
            if not attempt.interrupted:
                due += self._back_off(due - message.arrival)
        written = partial(self._written, message, queued, then)
        self._store.settle(Settlement(message, due, queued), written)

    def _written(self, message: Message, queued: list[Message], then: Done, error: BaseException | None) -> None:  # fmt: skip  # noqa: E501
        if error is not None:
            # The lease was lost, or the store gave up: another attempt will follow, nothing is gone.
            self._log.warning("qmgr", f"{message.id}: cannot be settled: {error}")
            then([])
            return
        if message.is_done():
            self._log.emit(REMOVED, message.id)
        then(queued)


def _last(recipient: Recipient) -> Outcome:
    """Return the last deferral of a recipient as an outcome."""
    return Outcome(
        recipient.status or "4.4.7",
        recipient.reason,
        "none",
        remote=recipient.remote,
        reply=_said(recipient.reason),
    )


def _said(text: str) -> str:
    """Return a remote host's own words out of ``host H[IP] said: 450 ... (in reply to ...)``."""
    _before, found, words = text.partition(" said: ")
    return words.rpartition(" (in reply to ")[0] or words if found else ""
