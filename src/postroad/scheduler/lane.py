"""A lane: the jobs that wait for one destination of one transport, fair between senders."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Sequence

from postroad.model.job import Attempt
from postroad.model.message import Recipient
from postroad.model.outcome import Outcome
from postroad.scheduler.feedback import Law, Window

Waiting = tuple[Attempt, Sequence[Recipient]]


class Lane:
    """Jobs for one destination.  Senders take turns, so that one who sends much delays nobody.

    ``dead`` is the outcome that made the destination dead, until the steady time ``dead_until``.
    """

    __slots__ = (
        "busy",
        "dead",
        "dead_until",
        "nexthop",
        "not_before",
        "ready",
        "senders",
        "waiting",
        "window",
    )

    def __init__(self, nexthop: str, law: Law) -> None:
        self.nexthop = nexthop
        self.window = Window(law)
        self.senders: OrderedDict[str, deque[Waiting]] = OrderedDict()
        self.waiting = 0
        self.busy = 0
        self.ready = False  # in the transport's round
        self.not_before = 0.0  # steady clock: destination_rate_delay
        self.dead: Outcome | None = None
        self.dead_until = 0.0

    def put(self, attempt: Attempt, recipients: Sequence[Recipient]) -> None:
        """Add a job at the end of its sender's line."""
        sender = attempt.message.sender
        line = self.senders.get(sender)
        if line is None:
            line = self.senders[sender] = deque()
        line.append((attempt, recipients))
        self.waiting += 1

    def take(self) -> Waiting:
        """Remove and return the next job; the sender goes to the end of the round."""
        sender, line = next(iter(self.senders.items()))
        job = line.popleft()
        if line:
            self.senders.move_to_end(sender)
        else:
            del self.senders[sender]
        self.waiting -= 1
        return job

    def sift(self) -> list[Waiting]:
        """Remove and return the jobs whose attempts are interrupted."""
        gone: list[Waiting] = []
        for sender, line in list(self.senders.items()):
            out = [job for job in line if job[0].interrupted]
            if not out:
                continue
            gone += out
            self.senders[sender] = deque(job for job in line if not job[0].interrupted)
            if not self.senders[sender]:
                del self.senders[sender]
        self.waiting -= len(gone)
        return gone

    def revive(self) -> None:
        """Use the destination again."""
        self.dead = None
        self.window.revive()

    def drain(self) -> list[Waiting]:
        """Remove and return everything that waits."""
        jobs = [job for line in self.senders.values() for job in line]
        self.senders.clear()
        self.waiting = 0
        return jobs
