"""One time-out wheel per loop, instead of one timer per read.

A holder keeps its own deadline as a number and moves it freely; the wheel looks at every holder
once a second and calls those that are over.  Moving a deadline is an assignment, nothing else.
"""

from __future__ import annotations

import asyncio
from typing import Protocol


class Expiring(Protocol):
    """Something with a deadline on the loop's clock; ``inf`` for none."""

    deadline: float

    def expired(self) -> None:
        """Be told that the deadline is over; called again each second until it moves or leaves."""
        ...


class Wheel:
    """Looks after the deadlines of everything that joined."""

    TICK = 1.0

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._members: set[Expiring] = set()
        self._timer: asyncio.TimerHandle | None = None
        self.now = loop.time()

    def join(self, member: Expiring) -> None:
        """Look after this one from now on."""
        self._members.add(member)
        if self._timer is None:
            self._timer = self._loop.call_later(self.TICK, self._turn)

    def leave(self, member: Expiring) -> None:
        """Forget this one; nothing happens if it never joined."""
        self._members.discard(member)

    def _turn(self) -> None:
        self.now = now = self._loop.time()
        for member in [m for m in self._members if m.deadline <= now]:
            member.expired()
        self._timer = self._loop.call_later(self.TICK, self._turn) if self._members else None
