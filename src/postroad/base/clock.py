"""Time comes in by this door, so that a test can move five days in a millisecond."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """The wall clock, in seconds since 1970, and a steady one for durations."""

    def now(self) -> float:
        """Return the wall-clock time."""
        ...

    def steady(self) -> float:
        """Return a time that never goes back; only differences mean something."""
        ...


class SystemClock:
    """The machine's own clocks."""

    now = staticmethod(time.time)  # noqa: TID251 - this is the door
    steady = staticmethod(time.monotonic)


class TestClock:
    """A clock that stands still until a test moves it."""

    __test__ = False

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self.time = now

    def now(self) -> float:
        """Return the time it was set to."""
        return self.time

    steady = now

    def advance(self, seconds: float) -> None:
        """Move both clocks forward."""
        self.time += seconds
