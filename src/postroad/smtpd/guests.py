"""The connections of one service: those with a session, those that wait for one, and the end of all."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from postroad.smtpd.limits import Counts, Seats, Taken
from postroad.smtpd.stress import Stress

if TYPE_CHECKING:
    from postroad.smtpd.connection import Connection


def _nobody_minds(full: bool) -> None:
    """Hear that somebody waits, and do nothing about it."""
    del full


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """The places of a service.

    ``limit`` is the most sessions at one time (0: any number), ``taken`` counts those of other processes
    too; further clients wait, ``queued`` counts them in all processes, and ``on_full`` hears of that.
    """

    limit: int = 0
    taken: Taken | None = None
    queued: Taken | None = None
    on_full: Callable[[bool], None] = _nobody_minds


class Guests:
    """Who is here.  ``counts`` has each client's sessions; ``stress`` hears when all places are taken."""

    __slots__ = (
        "_connections", "_counts", "_empty", "_loop", "_retired", "_seats", "_stopping", "stress",
    )  # fmt: skip

    def __init__(self, places: Places, loop: asyncio.AbstractEventLoop, counts: Counts, stress: Stress) -> None:  # fmt: skip  # noqa: E501
        self.stress = stress
        self._loop = loop
        self._counts = counts
        self._seats = Seats(places.limit, places.on_full, loop, places.taken, stress.reached, places.queued)
        self._connections: set[Connection] = set()
        self._empty: asyncio.Future[None] | None = None
        self._stopping = False
        self._retired: Callable[[], None] | None = None

    def __len__(self) -> int:
        """Return how many connections there are, those that wait for their turn included."""
        return len(self._connections)

    def __iter__(self) -> Iterator[Connection]:
        return iter(tuple(self._connections))

    @property
    def waiting(self) -> int:
        """Return how many connections wait for their turn, in all processes."""
        return self._seats.waiting

    def enter(self, connection: Connection) -> bool:
        """Note a connection; False when it has to wait for its turn."""
        self._connections.add(connection)
        if self._stopping:
            self._loop.call_soon(connection.cut)
            return False
        return self._seats.enter(connection)

    def leave(self, connection: Connection, counted: str) -> None:
        """Forget a connection, which is counted under an address unless that is empty."""
        if connection in self._connections:
            self._connections.discard(connection)
            self._seats.leave(connection)
            if counted:
                self._counts.leave(counted)
        if not self._connections:
            if self._empty is not None and not self._empty.done():
                self._empty.set_result(None)
            if self._retired is not None:
                self._retired()

    def stop_accepting(self) -> None:
        """Turn new clients away, and end each session that is not inside a transaction."""
        self._stopping = True
        for connection in self:
            connection.drain()

    async def drain(self, seconds: float) -> None:
        """Wait until the last session ended; after so many seconds those that are left are cut off."""
        self.stop_accepting()
        if self._connections:
            self._empty = self._loop.create_future()
            await asyncio.wait([self._empty], timeout=seconds)
        for connection in self:
            connection.cut()

    def retire(self, then: Callable[[], None]) -> None:
        """No client comes any more: ``then`` is called when nobody is here, and perhaps again."""
        self._retired = then
        if not self._connections:
            then()
