"""A job, or what is left of it, on its way over one connection."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from postroad.base.errors import StoreUnavailable
from postroad.model.job import Job
from postroad.model.message import Recipient
from postroad.proto.client_values import Dispatch, Peer

Report = Callable[[Job], None]


class Carrier(Protocol):
    """What a parcel learns of the connection that carried it."""

    peer: Peer


class Parcel(Dispatch):
    """Some recipients of a job.  ``indexes`` are their places in the job, None when they are all.

    ``then(parcel, carrier)`` is called once, when every recipient has its outcome.  ``begun`` and
    ``sent`` are on the steady clock: the job's arrival here, the sending of its envelope.
    """

    __slots__ = ("begun", "indexes", "job", "report", "sent", "then")

    def __init__(self, job: Job, report: Report, begun: float, then: Callable[[Parcel, Carrier], None], indexes: Sequence[int] | None = None) -> None:  # fmt: skip  # noqa: E501
        recipients: Sequence[Recipient] = job.recipients
        if indexes is not None:
            recipients = [job.recipients[index] for index in indexes]
        Dispatch.__init__(self, job.message, recipients, job.content.size)
        self.probe = job.probe
        self.job = job
        self.report = report
        self.begun = begun
        self.sent = begun
        self.then = then
        self.indexes = indexes

    def stamp(self, now: float, carried: int) -> None:
        """Note the times, and how many messages the connection has carried, in every outcome."""
        setup, transfer = self.sent - self.begun, now - self.sent
        reused = carried if carried > 1 else 0
        for outcome in self.outcomes:
            if outcome is not None:
                outcome.setup = setup
                outcome.transfer = transfer
                outcome.reused = reused

    def settle(self) -> None:
        """Put the outcomes into the job."""
        if self.indexes is None:
            self.job.outcomes = self.outcomes
        else:
            for index, outcome in zip(self.indexes, self.outcomes, strict=True):
                self.job.outcomes[index] = outcome

    def soft(self, *, bounces_too: bool) -> list[int]:
        """Return the places in the job of the recipients that another server might take."""
        kinds = "45" if bounces_too else "4"
        places = range(len(self.outcomes)) if self.indexes is None else self.indexes
        return [
            place
            for place, outcome in zip(places, self.outcomes, strict=True)
            if outcome is None or outcome.status[0] in kinds
        ]

    def look_for_utf8(self) -> None:
        """Find out whether the header has UTF-8 (``utf8_header``).  An unreadable content has none."""
        content = self.job.content
        try:
            head = content.data or next(content.pieces(), b"")
        except StoreUnavailable:
            return  # the sending of the content finds the same, and defers
        self.utf8_header = not head.partition(b"\r\n\r\n")[0].isascii()
