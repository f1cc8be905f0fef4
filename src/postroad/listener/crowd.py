"""How many clients there are: of one address, under test, and in wait for a session; and may be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from postroad.base.log import Log
from postroad.base.params import Settings
from postroad.listener import params as p
from postroad.listener import screen_events as events
from postroad.listener.strain import Strain
from postroad.model.reply import Reply

if TYPE_CHECKING:
    from postroad.listener.screening import Screening


class Counts(Protocol):
    """How many connections each client has, over all workers."""

    def enter(self, address: str) -> int:
        """Count one more; return how many there are."""
        ...

    def leave(self, address: str) -> None:
        """Count one less."""
        ...


class Taken(Protocol):
    """How many clients are under test, over all workers."""

    def change(self, by: int) -> None:
        """Count clients that come or go."""
        ...

    def elsewhere(self) -> int:
        """Return how many other workers have."""
        ...


class Queue(Protocol):
    """Those who wait for a session."""

    @property
    def waiting(self) -> int:
        """Return how many there are."""
        ...


class Crowd:
    """Counts the clients of one service.  ``taken`` None: no other process has any.

    ``strain`` is true while so many are under test that the tests have to be short.
    """

    __slots__ = (
        "_connection_limit", "_counts", "_log", "_post_limit", "_pre_limit", "_queue", "_taken", "_tested",
        "strain",
    )  # fmt: skip

    def __init__(self, settings: Settings, counts: Counts, taken: Taken | None, queue: Queue, log: Log) -> None:  # fmt: skip  # noqa: E501
        self._connection_limit = settings[p.CONNECTION_COUNT]
        self._pre_limit = max(settings[p.PRE_QUEUE_LIMIT], 2)  # busy() lets one less in
        self._post_limit = settings[p.POST_QUEUE_LIMIT]
        self._counts = counts
        self._taken = taken
        self._queue = queue
        self._log = log
        self._tested = 0
        self.strain = Strain(settings[p.PRE_QUEUE_LIMIT], log)

    def crowded(self, screening: Screening) -> Reply | None:
        """Count a client whose address is known now; return the refusal when there are too many."""
        if self._connection_limit:
            number = self._counts.enter(_key(screening.address))
            screening.counted = True
            if number > self._connection_limit:
                return self._refused(screening, Reply(421, "4.7.0", "Error: too many connections"))
        if self._queue.waiting >= self._post_limit:
            return self._refused(screening, Reply(421, "4.3.2", "All server ports are busy"))
        return None

    def busy(self, screening: Screening) -> Reply | None:
        """Count a client that has to be tested; return the refusal when too many are."""
        others = self._taken.elsewhere() if self._taken is not None else 0
        if self._tested + others + 1 >= self._pre_limit:  # one less than the limit, as in Postfix
            self._log.emit(events.BUSY, screening.address, screening.port)
            return Reply(421, "4.3.2", "All screening ports are busy")
        screening.tested = True
        self._count_tests(1)
        return None

    def leave(self, screening: Screening) -> None:
        """Count a client no more that is counted."""
        if screening.tested:
            self._count_tests(-1)
        if screening.counted:
            self._counts.leave(_key(screening.address))

    def _count_tests(self, by: int) -> None:
        self._tested += by
        others = 0
        if self._taken is not None:
            self._taken.change(by)
            others = self._taken.elsewhere()
        self.strain.measure(self._tested + others)

    def _refused(self, screening: Screening, reply: Reply) -> Reply:
        why = reply.text.removeprefix("Error: ").replace(" are busy", " busy")
        why = why[0].lower() + why[1:]
        self._log.emit(events.REFUSED, screening.address, screening.port, why)
        return reply


def _key(address: str) -> str:
    """Return what a client's connections are counted as: apart from its sessions with smtpd."""
    return f"postscreen {address}"
