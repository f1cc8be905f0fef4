"""Looking through the queue: leases what is due, as much as there is room for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from postroad.base import tasks
from postroad.base.clock import Clock
from postroad.base.log import Log
from postroad.model.message import Message
from postroad.model.ports import Settlement, Store

_MOST = 200  # messages leased at a time


class Claims:
    """Queue runs, every ``run_delay`` seconds and when asked for.

    ``room()`` says how many messages may be taken, ``take(message)`` gets each.
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

    def put_back(self, message: Message) -> None:
        """Leave a message to a later claim: more is accepted than can be delivered."""
        message.content = None
        self.wanted = True
        self._store.settle(Settlement(message, message.arrival), _written)

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
        tasks.start(self._store.claim(now=self._clock.now(), most=min(room, _MOST)), self._claimed)

    def _claimed(self, messages: list[Message] | None, error: BaseException | None) -> None:
        self._claiming = False
        if messages is None:
            self._log.warning("qmgr", f"cannot read the queue: {error}")
            return
        for message in messages:
            self._take(message)
        if messages or self.wanted:
            self.wanted = True  # there may be more; go on as soon as there is room
            if self._room() > 0:
                asyncio.get_running_loop().call_soon(self._claim)


def _written(_error: BaseException | None) -> None:
    """Nobody waits for a message that was put back: the next claim will tell."""
