"""The connections to one next hop: which are idle, and whether to keep one for the next message."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from postroad.delivery.smtp.parcel import Parcel
from postroad.proto.client_usual import UsualAnswers

if TYPE_CHECKING:
    from postroad.delivery.smtp.connection import Connection
    from postroad.delivery.smtp.tls_policy import TlsPolicy

#: Mail counts as steady while a job comes within this many seconds of the end of another.
_BACK_TO_BACK = 1.0
#: How many messages may wait for each busy connection of a server that takes one message in so many
#: seconds.  A few connections with much to do write and read less often than many with little: it is
#: one write and one read for each message that waited.  With a slow server, messages would wait for
#: each other instead of being taken side by side.
_QUICK, _WAITING = 0.02, 1
_BRISK, _WAITING_BRISKLY = 0.002, 3


class Lane:
    """One next hop.  ``alternatives``: when last looked, there was more than one host to try.

    ``waiting`` are parcels that a busy connection is expected to take soon; the agent takes back
    those that it does not.
    """

    __slots__ = (
        "_allowed",
        "_on_demand",
        "active",
        "alternatives",
        "always",
        "idle",
        "jobs",
        "last_done",
        "minded",
        "nexthop",
        "pace",
        "policy",
        "steady",
        "usual",
        "waiting",
    )

    def __init__(self, nexthop: str, *, on_demand: bool = True, always: bool = False) -> None:
        self.nexthop = nexthop
        self._on_demand = on_demand  # smtp_connection_cache_on_demand
        self._allowed = True  # by smtp_tls_connection_reuse
        self.always = always  # smtp_connection_cache_destinations
        self.idle: list[Connection] = []
        self.waiting: deque[Parcel] = deque()
        self.jobs = 0  # under way
        self.active = 0  # connections that carry a message
        self.steady = False  # connections are kept
        self.last_done = float("-inf")
        self.pace = float("inf")  # seconds that a message takes, smoothed
        self.alternatives = True
        self.policy: tuple[str, str, TlsPolicy] | None = None  # next hop, host, and what was asked of them
        self.minded = float("-inf")  # when somebody last did
        self.usual = UsualAnswers()

    def arrived(self, now: float) -> None:
        """A job has come.

        Connections are kept, by the rule of Postfix's qmgr, once mail comes back to back: not for
        one burst that is over when it is delivered, and no longer when mail comes one by one.
        """
        self.jobs += 1
        back_to_back = self.last_done + _BACK_TO_BACK >= now
        self.steady = self._on_demand and self._allowed and (back_to_back or (self.steady and self.jobs > 1))

    def keep(self, *, allowed: bool) -> None:
        """Say whether connections like the newest may carry a second message; no mail waits for one else."""
        self._allowed = allowed
        self.steady = self.steady and allowed

    def retire(self) -> list[Parcel]:
        """Keep no connection any more; returns the parcels that waited for one."""
        self._on_demand = self.always = self.steady = False
        idle, self.idle = self.idle, []
        for connection in idle:
            connection.quit()
        waiting = list(self.waiting)
        self.waiting.clear()
        return waiting

    def done(self, now: float) -> None:
        """A job has ended."""
        self.jobs -= 1
        self.last_done = now

    def took(self, seconds: float) -> None:
        """A message was carried."""
        self.pace = seconds if self.pace == float("inf") else self.pace + (seconds - self.pace) / 8

    def has_room(self) -> bool:
        """Whether one more message is to wait for a busy connection: much mail, and a fast server."""
        pace = self.pace
        if pace >= _QUICK or not self.steady:
            return False
        return len(self.waiting) < self.active * (_WAITING_BRISKLY if pace < _BRISK else _WAITING)

    @property
    def keeps(self) -> bool:
        """Whether a connection that has done its work stays open for a while."""
        return self.steady or self.always

    @property
    def empty(self) -> bool:
        """Whether nothing is lost when this lane is forgotten."""
        return not (self.jobs or self.idle or self.waiting)
