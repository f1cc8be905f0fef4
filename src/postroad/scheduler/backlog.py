"""A backlog: mail whose turn is far, as queue ids alone.

Its messages stay leased to this worker; nothing about them is written, and of each only the id is in
memory, eight bytes.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable


class Backlog:
    """Queue ids in order.  ``asked`` while some of them are being called back."""

    __slots__ = ("_first", "_keys", "asked")

    def __init__(self) -> None:
        self._keys = array("q")
        self._first = 0
        self.asked = False

    def __len__(self) -> int:
        return len(self._keys) - self._first

    def put(self, key: int) -> None:
        """Add one at the end."""
        self._keys.append(key)

    def take(self, most: int) -> list[int]:
        """Remove and return the first ones."""
        taken = self._keys[self._first : self._first + most].tolist()
        self._first += len(taken)
        if self._first * 2 >= len(self._keys):
            del self._keys[: self._first]
            self._first = 0
        return taken

    def put_back(self, keys: Iterable[int]) -> None:
        """Put back at the front what was taken."""
        self._keys = array("q", keys) + self._keys[self._first :]
        self._first = 0

    def take_over(self, other: Backlog) -> None:
        """Add all of another at the end, which is empty then."""
        self._keys += other._keys[other._first :]
        other._keys, other._first = array("q"), 0
