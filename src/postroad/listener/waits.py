"""Calls that are made after a time, many of them, with one timer of the loop."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from heapq import heappop, heappush


class Waits:
    """What is to be called, and when; in the order in which it was asked for where the time is the same."""

    __slots__ = ("_loop", "_numbers", "_timer", "_waits")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._numbers = itertools.count()
        self._waits: list[tuple[float, int, Callable[[], None]]] = []
        self._timer: asyncio.TimerHandle | None = None

    def add(self, seconds: float, then: Callable[[], None]) -> None:
        """Call ``then`` after so many seconds; there is no taking it back."""
        end = self._loop.time() + seconds
        heappush(self._waits, (end, next(self._numbers), then))
        if self._timer is None or end < self._timer.when():
            self._start()

    def _start(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(self._waits[0][0], self._over) if self._waits else None

    def _over(self) -> None:
        now, waits = self._loop.time(), self._waits
        try:
            while waits and waits[0][0] <= now:
                heappop(waits)[2]()
        finally:  # a defect in one call is no reason to forget the others
            self._start()
