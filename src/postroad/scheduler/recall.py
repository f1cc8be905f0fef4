"""Calls parked mail back into memory, a few messages at a time."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from functools import partial

from postroad.base import tasks
from postroad.base.clock import Clock
from postroad.base.log import Log
from postroad.model.message import Message
from postroad.model.queue import Settlement, Store
from postroad.scheduler.backlog import Backlog

_MOST = 100  # messages called back at a time
_PAUSE = 1.0  # seconds, after a failure


class Recall:
    """Reads parked messages again, as long as there is ``room()``.

    ``take(message, backlog)`` gets each, ``taken(backlog)`` is called when all of a call are there.
    """

    def __init__(self, store: Store, clock: Clock, log: Log, room: Callable[[], int], take: Callable[[Message, Backlog], None], taken: Callable[[Backlog], None]) -> None:  # fmt: skip  # noqa: E501
        self._store = store
        self._clock = clock
        self._log = log
        self._room = room
        self._take = take
        self._taken = taken
        self._wanted: deque[Backlog] = deque()
        self._reading = False
        self._stopped = False

    def ask(self, backlog: Backlog) -> None:
        """Have the first messages of a backlog called back."""
        if not backlog.asked:
            backlog.asked = True
            self._wanted.append(backlog)
            self.go_on()

    def go_on(self) -> None:
        """Call back what was asked for, if there is room."""
        room = self._room()
        if self._reading or self._stopped or not self._wanted or room <= 0:
            return
        backlog = self._wanted.popleft()
        keys = backlog.take(min(room // 4 + 1, _MOST))  # others need room as well
        if not keys:
            backlog.asked = False
            self.go_on()
            return
        self._reading = True
        tasks.start(self._store.find(keys), partial(self._found, backlog, keys))

    def stop(self) -> None:
        """Call nothing back any more."""
        self._stopped = True

    def _found(self, backlog: Backlog, keys: list[int], messages: list[Message] | None, error: BaseException | None) -> None:  # fmt: skip  # noqa: E501
        self._reading = backlog.asked = False
        if self._stopped:
            return  # the leases go back when the store closes
        if messages is None:
            self._log.warning("qmgr", f"cannot read the queue: {error}")
            backlog.put_back(keys)
            asyncio.get_running_loop().call_later(_PAUSE, self.ask, backlog)
            return
        for message in messages:
            if message.held:
                self._store.settle(Settlement(message, message.arrival), _written)
            else:
                self._take(message, backlog)
        gone = set(keys).difference([message.key for message in messages])
        if gone:  # deleted, or damaged: without their leases they leave, or are moved aside
            tasks.start(self._store.give_back(gone, now=self._clock.now()), _given_back)
        self._taken(backlog)
        if self._wanted:
            asyncio.get_running_loop().call_soon(self.go_on)  # others have their turn before


def _given_back(_nothing: None, _error: BaseException | None) -> None:
    """A lease that stays is returned at the next start."""


def _written(_error: BaseException | None) -> None:
    """Nobody waits for it: a lease that stays is returned at the next start."""
