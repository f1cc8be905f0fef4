"""Looking through the queue: leases what is due, as much as there is room for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from postroad.base import tasks
from postroad.base.clock import Clock
from postroad.base.log import Log
from postroad.model.message import Message
from postroad.model.queue import Store

_MOST = 200  # messages leased at a time
_LEAST = 10
_PAUSE = 0.05  # seconds


class Claims:
    """Queue runs, every ``run_delay`` seconds and when asked for.

    ``room()`` says how many messages may be taken, ``take(message)`` gets each, and counts it like all that
    comes with ``fresh``.  While new mail comes, a run takes only as many of the old as came of the new:
    much that is due at one time must not keep new mail waiting.
    """

    def __init__(self, store: Store, clock: Clock, log: Log, room: Callable[[], int], take: Callable[[Message], None]) -> None:  # fmt: skip  # noqa: E501
        self._store = store
        self._clock = clock
        self._log = log
        self._room = room
        self._take = take
        self.run_delay = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._claiming = False
        self._stopped = False
        self.wanted = False  # there may be more to take than there was room for
        self.fresh = 0
        self._before = 0  # what it was at the last claim

    def run(self) -> None:
        """Begin a queue run, and plan the next."""
        if self._stopped:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(self.run_delay, self.run)
        self._claim()

    def go_on(self) -> None:
        """Take more, if a run ended for want of room."""
        if self.wanted and not self._claiming:
            self._claim()

    def stop(self) -> None:
        """Take nothing more."""
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()

    def _claim(self) -> None:
        if self._stopped:
            return
        room = self._room()
        if self._claiming or room <= 0:
            self.wanted = True
            return
        self._claiming, self.wanted = True, False
        most = max(self.fresh, _LEAST) if self._is_busy() else _MOST
        self._before, self.fresh = self.fresh, 0
        tasks.start(self._store.claim(now=self._clock.now(), most=min(room, most, _MOST)), self._claimed)

    def _claimed(self, messages: list[Message] | None, error: BaseException | None) -> None:
        self._claiming = False
        if messages is None:
            self._log.warning("qmgr", f"cannot read the queue: {error}")
            return
        self.fresh -= len(messages)
        for message in messages:
            self._take(message)
        if messages or self.wanted:
            self.wanted = True  # there may be more; go on as soon as there is room
            if self._room() > 0:
                self._claiming = True
                asyncio.get_running_loop().call_later(_PAUSE if self._is_busy() else 0, self._claim_more)

    def _is_busy(self) -> bool:
        """Return whether new mail came since the last claim but one: it comes in groups."""
        return bool(self.fresh or self._before)

    def _claim_more(self) -> None:
        self._claiming = False
        self._claim()
