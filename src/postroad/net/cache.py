"""Answers that were heard lately: bounded in number and in age."""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

from postroad.base.clock import Clock

T = TypeVar("T")


class Cache(Generic[T]):
    """A least-recently-used cache whose entries end.  ``limit`` 0 keeps nothing."""

    __slots__ = ("_clock", "_entries", "_limit")

    def __init__(self, clock: Clock, limit: int) -> None:
        self._clock = clock
        self._limit = limit
        self._entries: OrderedDict[tuple[str, str], tuple[float, T]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: tuple[str, str]) -> T | None:
        """Return what was put under this key and has not ended, else None."""
        found = self._entries.get(key)
        if found is None:
            return None
        if found[0] <= self._clock.steady():
            del self._entries[key]
            return None
        self._entries.move_to_end(key)
        return found[1]

    def put(self, key: tuple[str, str], value: T, seconds: float) -> None:
        """Keep a value for this long; the one used longest ago makes room."""
        if seconds <= 0 or self._limit <= 0:
            return
        self._entries[key] = (self._clock.steady() + seconds, value)
        self._entries.move_to_end(key)
        if len(self._entries) > self._limit:
            self._entries.popitem(last=False)

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()
