"""Counts that all workers share without a lock: how many sessions an address has, and a service,
and how often a client has done a thing of late.

A table in shared memory has a row for each worker; a worker writes only its own row and reads the
sum of all.  An address has two places in a row (a count-min sketch), so a count is never too low,
and too high only if both places are shared with other busy addresses.  A service has a place of its own.

Events are counted by the period of time they fall into, in places that say which period they mean:
when it is over the count begins anew by itself.
"""

from __future__ import annotations

import mmap
import os
from array import array
from collections.abc import Callable
from zlib import crc32

_PLACES = 1 << 14
SERVICES = 256
_ROW = _PLACES + SERVICES
_WIDTH = 2  # bytes of one count
_MOST = 0xFFFF
#: What is counted by time: the rows of SharedCounts.events.
NEW_TLS, AUTH, CONNECTION, MESSAGE, RECIPIENT = range(5)
_KINDS = 5
_EVENT_PLACES = 1 << 13
_EVENT_WIDTH = 4  # the period's number in the upper half, the count in the lower


class SharedCounts:
    """Sessions per client address over all workers."""

    def __init__(self, fd: int, worker: int, workers: int) -> None:
        self._map = mmap.mmap(fd, size_of(workers))
        whole = memoryview(self._map)
        begin = workers * _ROW * _WIDTH
        self._view = whole[:begin].cast("H")
        self._events = whole[begin : size_of(workers)].cast("I")
        self._worker, self._workers = worker, workers
        self._row = worker * _ROW
        self._rows = range(0, workers * _ROW, _ROW)
        # What a predecessor that died had counted is void: its sessions died with it.
        self._view[self._row : self._row + _ROW] = array("H", bytes(_ROW * _WIDTH))

    def enter(self, address: str) -> int:
        """Count one more session of the address; return how many it has now."""
        one, two = _places(address)
        view, row = self._view, self._row
        view[row + one] = min(view[row + one] + 1, _MOST)
        view[row + two] = min(view[row + two] + 1, _MOST)
        return self.count(address)

    def leave(self, address: str) -> None:
        """Count one session less."""
        view, row = self._view, self._row
        for place in _places(address):
            if view[row + place]:
                view[row + place] -= 1

    def sessions(self, service: int) -> ServiceCount:
        """Return the count of the sessions of a service, by its number below SERVICES."""
        return ServiceCount(
            self._view, self._row + _PLACES + service, [row + _PLACES + service for row in self._rows]
        )

    def events(self, kind: int, period: Callable[[], int]) -> EventCount:
        """Return the count of one kind of event; ``period`` gives the number of the time that it is now."""
        rows = [
            (worker * _KINDS + kind) * _EVENT_PLACES for worker in range(self._workers)
        ]  # fmt: skip
        return EventCount(self._events, rows[self._worker], rows, period)

    def count(self, address: str) -> int:
        """Return how many sessions the address has."""
        one, two = _places(address)
        view = self._view
        return min(sum(view[row + one] for row in self._rows), sum(view[row + two] for row in self._rows))


class ServiceCount:
    """The sessions of one service over all workers.  Each worker's change is seen by all at once."""

    __slots__ = ("_mine", "_others", "_view")

    def __init__(self, view: memoryview, mine: int, places: list[int]) -> None:
        self._view = view
        self._mine = mine
        self._others = [place for place in places if place != mine]

    def change(self, by: int) -> None:
        """Count sessions of ours that come or go."""
        self._view[self._mine] = min(max(self._view[self._mine] + by, 0), _MOST)

    def elsewhere(self) -> int:
        """Return how many sessions the other workers have."""
        view = self._view
        return sum([view[place] for place in self._others])


class EventCount:
    """How often clients did one thing in the present period, over all workers."""

    __slots__ = ("_mine", "_period", "_rows", "_view")

    def __init__(self, view: memoryview, mine: int, rows: list[int], period: Callable[[], int]) -> None:
        self._view = view
        self._mine = mine
        self._rows = rows
        self._period = period

    def add(self, key: str) -> int:
        """Count one more for this key; return how many there are now."""
        view, period = self._view, self._period() & _MOST
        for place in _places(key, _EVENT_PLACES):
            value = view[self._mine + place]
            count = value & _MOST if value >> 16 == period else 0
            view[self._mine + place] = period << 16 | min(count + 1, _MOST)
        return self.count(key)

    def count(self, key: str) -> int:
        """Return how many there are of this key."""
        view, period = self._view, self._period() & _MOST
        found = []
        for place in _places(key, _EVENT_PLACES):
            values = [view[row + place] for row in self._rows]
            found.append(sum(value & _MOST for value in values if value >> 16 == period))
        return min(found)


def size_of(workers: int) -> int:
    """Return the bytes of the table for so many workers."""
    return workers * (_ROW * _WIDTH + _KINDS * _EVENT_PLACES * _EVENT_WIDTH)


def make_table(workers: int) -> int:
    """Make the shared memory; returns its file descriptor, for every worker to inherit."""
    fd = os.memfd_create("postroad-counts", os.MFD_CLOEXEC)
    os.ftruncate(fd, size_of(workers))
    return fd


def _places(address: str, places: int = _PLACES) -> tuple[int, int]:
    # Two parts of one CRC: a second CRC over the same bytes would be the first one's linear image,
    # and addresses that share one place would share both.
    value = crc32(address.encode("utf-8", "surrogateescape"))
    half = places // 2
    return value % half, half + (value >> 16) % half
