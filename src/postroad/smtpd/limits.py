"""How many sessions there may be: of one client, and of one service."""

from __future__ import annotations

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


class Waiting(Protocol):
    """A connection that waits for its turn."""

    def begin(self) -> None:
        """Have the turn now."""
        ...


class Seats:
    """The places of one service.  Who finds none waits, in order, and hears nothing meanwhile.

    ``full`` is called with True when somebody waits, so that no more are let in, and with False
    when nobody does any more.  0 places means any number.
    """

    __slots__ = ("_full", "_places", "_waiting", "taken")

    def __init__(self, places: int, full: Callable[[bool], None]) -> None:
        self._places = places
        self._full = full
        self._waiting: deque[Waiting] = deque()
        self.taken = 0

    def enter(self, guest: Waiting) -> bool:
        """Take a place; False when the guest has to wait, and is called later."""
        if self._places and self.taken >= self._places:
            self._waiting.append(guest)
            if len(self._waiting) == 1:
                self._full(True)
            return False
        self.taken += 1
        return True

    def leave(self, guest: Waiting) -> None:
        """Give the place back, or stop waiting for one."""
        if guest in self._waiting:
            self._waiting.remove(guest)
            self._relax()
            return
        self.taken -= 1
        if self._waiting and self.taken < self._places:
            following = self._waiting.popleft()
            self.taken += 1
            self._relax()
            following.begin()

    def _relax(self) -> None:
        if not self._waiting:
            self._full(False)
