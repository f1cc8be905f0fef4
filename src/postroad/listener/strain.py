"""Whether so many clients are under test that the tests have to be short (postscreen(8), STRESS mode)."""

from __future__ import annotations

from typing import Final

from postroad.base.log import Log
from postroad.listener import screen_events as events

#: The parts of postscreen_pre_queue_limit at which stress begins and ends, in tenths, as in Postfix.
_BEGINS: Final = 9
_ENDS: Final = 7


class Strain:
    """Knows how many clients are under test, and may be: ``limit``.  True under stress."""

    __slots__ = ("_high", "_log", "_low", "_on")

    def __init__(self, limit: int, log: Log) -> None:
        self._high, self._low = limit * _BEGINS // 10, limit * _ENDS // 10
        self._log = log
        self._on = False

    def __bool__(self) -> bool:
        return self._on

    def measure(self, number: int) -> None:
        """Hear how many there are now."""
        if not self._on and number >= self._high:
            self._on = True
            self._log.emit(events.STRESSED, number)
        elif self._on and number <= self._low:
            self._on = False
            self._log.emit(events.RELAXED, number)
