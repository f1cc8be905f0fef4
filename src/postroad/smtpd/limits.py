"""How many sessions there may be: of one client, and of one service."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Protocol


class Counts(Protocol):
    """The sessions of each client address."""

    def enter(self, address: str) -> int:
        """Count one more; return how many the address has now."""
        ...

    def leave(self, address: str) -> None:
        """Count one less."""
        ...


class LocalCounts:
    """Counts of this process alone."""

    __slots__ = ("_sessions",)

    def __init__(self) -> None:
        self._sessions: dict[str, int] = {}

    def enter(self, address: str) -> int:
        """Count one more."""
        number = self._sessions[address] = self._sessions.get(address, 0) + 1
        return number

    def leave(self, address: str) -> None:
        """Count one less; an address without sessions takes no memory."""
        number = self._sessions.get(address, 0) - 1
        if number > 0:
            self._sessions[address] = number
        else:
            self._sessions.pop(address, None)


class Events(Protocol):
    """How often clients did one thing in the present period."""

    def add(self, key: str) -> int:
        """Count one more; return how many there are now."""
        ...

    def count(self, key: str) -> int:
        """Return how many there are."""
        ...


class LocalEvents:
    """Events of this process alone, for one endless period."""

    __slots__ = ("_counts",)

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    def add(self, key: str) -> int:
        """Count one more."""
        number = self._counts[key] = self._counts.get(key, 0) + 1
        return number

    def count(self, key: str) -> int:
        """Return how many there are."""
        return self._counts.get(key, 0)


class Waiting(Protocol):
    """A connection that waits for its turn."""

    def begin(self) -> None:
        """Have the turn now."""
        ...


class Taken(Protocol):
    """How many places of a service the workers have taken together."""

    def change(self, by: int) -> None:
        """Count places that we take or give back."""
        ...

    def elsewhere(self) -> int:
        """Return how many other workers have taken."""
        ...


class TakenHere:
    """The places of a service that only this process has."""

    __slots__ = ()

    def change(self, by: int) -> None:
        """Count nothing: nobody else asks."""

    def elsewhere(self) -> int:
        """Return 0."""
        return 0


_AGAIN = 0.2  # seconds until a worker that has guests waiting looks whether another has made room


def _do_nothing(_: bool) -> None:
    """Hear of something, and do nothing about it."""


class Seats:
    """The places of one service, which all workers share.  Who finds none waits, in order, and hears nothing.

    ``reached`` hears when all places are taken, with True when one has just taken the last.
    ``full`` is called with True when somebody waits, so that no more are let in, and with False
    when nobody does any more.  0 places means any number.  Workers that take the last places in the
    same moment may take a few more.  ``queued`` counts those who wait, as ``elsewhere`` those who do not.
    """

    __slots__ = (
        "_elsewhere", "_full", "_looking", "_loop", "_places", "_queued", "_reached", "_waiting", "taken",
    )  # fmt: skip

    def __init__(
        self,
        places: int,
        full: Callable[[bool], None],
        loop: asyncio.AbstractEventLoop,
        elsewhere: Taken | None = None,
        reached: Callable[[bool], None] | None = None,
        queued: Taken | None = None,
    ) -> None:
        self._places = places
        self._queued: Taken = queued if queued is not None else TakenHere()
        self._reached = reached if reached is not None else _do_nothing
        self._full = full
        self._loop = loop
        self._elsewhere: Taken = elsewhere if elsewhere is not None else TakenHere()
        self._waiting: deque[Waiting] = deque()
        self._looking = False
        self.taken = 0

    @property
    def waiting(self) -> int:
        """Return how many guests wait, those of other workers too."""
        return len(self._waiting) + self._queued.elsewhere()

    def _is_full(self) -> bool:
        return self.taken + self._elsewhere.elsewhere() >= self._places

    def enter(self, guest: Waiting) -> bool:
        """Take a place; False when the guest has to wait, and is called later."""
        if self._places:
            left = self._places - self.taken - self._elsewhere.elsewhere()
            if left <= 1:
                self._reached(left == 1)
            if left <= 0:
                self._waiting.append(guest)
                self._queued.change(1)
                if len(self._waiting) == 1:
                    self._full(True)
                    if not self._looking:
                        self._looking = True
                        self._loop.call_later(_AGAIN, self._look)
                return False
            self._elsewhere.change(1)
        self.taken += 1
        return True

    def leave(self, guest: Waiting) -> None:
        """Give the place back, or stop waiting for one."""
        if guest in self._waiting:
            self._waiting.remove(guest)
            self._queued.change(-1)
            self._relax()
            return
        self.taken -= 1
        if self._places:
            self._elsewhere.change(-1)
            if self._waiting:
                self._let_in()

    def _look(self) -> None:
        """See whether another worker has made room."""
        if self._waiting:
            self._let_in()
        self._looking = bool(self._waiting)
        if self._looking:
            self._loop.call_later(_AGAIN, self._look)

    def _let_in(self) -> None:
        while self._waiting and not self._is_full():
            following = self._waiting.popleft()
            self._queued.change(-1)
            self.taken += 1
            self._elsewhere.change(1)
            self._relax()
            following.begin()

    def _relax(self) -> None:
        if not self._waiting:
            self._full(False)
