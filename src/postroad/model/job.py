"""A job: one message, some of its recipients, one next hop; and what became of it."""

from __future__ import annotations

from collections.abc import Sequence

from postroad.model.message import Content, Message, Recipient
from postroad.model.outcome import Outcome


class Attempt:
    """One go at a message: every job of it belongs to one attempt, and the attempt is settled as one.

    ``entered`` is the steady time at which the message became active.  ``failed`` and ``succeeded``
    are those that a notice may have to name.
    """

    __slots__ = (
        "entered",
        "failed",
        "interrupted",
        "message",
        "new_messages",
        "pending",
        "succeeded",
        "wall",
    )

    def __init__(self, message: Message, entered: float, wall: float) -> None:
        self.message = message
        self.entered = entered
        self.wall = wall
        self.interrupted = False  # some of it was not tried: the server stops
        self.pending = 0  # jobs that have not reported
        self.failed: list[tuple[Recipient, Outcome]] = []
        self.succeeded: list[tuple[Recipient, Outcome]] = []
        self.new_messages: list[Message] = []


class Job:
    """What a delivery agent is handed.

    The agent fills ``outcomes`` (one per recipient, same order) and reports.  ``site_failure`` is
    set when the destination as a whole could not be used (no connection, refused greeting), for
    the concurrency feedback.  ``nexthop`` is the route's.  ``probe``: nothing is to be delivered, only to be
    found out whether it could be; there is no content then.
    """

    __slots__ = (
        "attempt",
        "begun",
        "content",
        "message",
        "new_messages",
        "nexthop",
        "outcomes",
        "probe",
        "recipients",
        "site_failure",
        "transport",
    )

    def __init__(self, message: Message, recipients: Sequence[Recipient], transport: str, nexthop: str, content: Content) -> None:  # fmt: skip  # noqa: E501
        self.message = message
        self.recipients = recipients
        self.transport = transport
        self.nexthop = nexthop
        self.content = content
        self.outcomes: list[Outcome | None] = [None] * len(recipients)
        self.site_failure: Outcome | None = None
        self.new_messages: list[Message] = []  # queued in the transaction that settles this job (forwards)
        self.attempt: Attempt | None = None  # the scheduler's
        self.probe = False
        self.begun = 0.0  # steady clock, when the scheduler handed it out

    def all(self, outcome: Outcome) -> None:
        """Give every recipient that has none yet this outcome."""
        self.outcomes = [outcome if known is None else known for known in self.outcomes]
