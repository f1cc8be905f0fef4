"""Lanes and flows: what waits for one destination, and what waits of one sender."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from postroad.model.job import Attempt
from postroad.model.message import Recipient
from postroad.model.outcome import Outcome
from postroad.scheduler.backlog import Backlog
from postroad.scheduler.feedback import Law, Window

Waiting = tuple[Attempt, Sequence[Recipient]]


class Flow:
    """One sender's mail of one transport.  Flows take turns; so do the lanes of a flow.

    ``ready`` are its lanes that may begin a job, ``waiting`` is how many jobs of it wait in all lanes.
    """

    __slots__ = ("name", "ready", "waiting")

    def __init__(self, name: str) -> None:
        self.name = name
        self.ready: deque[Lane] = deque()  # a flow is in its transport's round while this is not empty
        self.waiting = 0


class Lane:
    """One destination of one transport: a line of jobs for each flow.

    ``blocked`` are the flows that wait for a place in the window.  ``dead`` is the outcome that made the
    destination dead, until the steady time ``dead_until``.  ``parked`` are the backlogs of senders who
    have too much here, and under an empty name that of all others when the lane as a whole has.
    """

    __slots__ = (
        "blocked",
        "busy",
        "dead",
        "dead_until",
        "lines",
        "nexthop",
        "not_before",
        "parked",
        "waiting",
        "window",
    )

    def __init__(self, nexthop: str, law: Law) -> None:
        self.nexthop = nexthop
        self.window = Window(law)
        self.lines: dict[Flow, deque[Waiting]] = {}
        self.blocked: deque[Flow] = deque()
        self.parked: dict[str, Backlog] = {}
        self.waiting = 0
        self.busy = 0
        self.not_before = 0.0  # steady clock: it rests (destination_rate_delay); 0 when it does not
        self.dead: Outcome | None = None
        self.dead_until = 0.0

    def is_open(self) -> bool:
        """Return whether a job may begin, as far as the destination is concerned."""
        return self.busy < self.window.size and not self.not_before

    def revive(self) -> None:
        """Use the destination again."""
        self.dead = None
        self.window.revive()


def flow_name(sender: str) -> str:
    """Return the name of the flow of a sender: its many addresses, ``me+tag@d``, are one.

    So are those that a mailing list makes, one for each recipient (VERP: ``list-bounces+you=d@d``, or
    ``list-you=d@d``), so that a list does not count as thousands of senders.
    """
    if "+" not in sender and "=" not in sender:
        return sender or "<>"
    local, _at, domain = sender.rpartition("@")
    marks = "+-=" if "=" in local else "+"
    ends = [at for at in map(local.find, marks) if at > 0]
    return f"{local[: min(ends)]}@{domain}" if ends else sender
