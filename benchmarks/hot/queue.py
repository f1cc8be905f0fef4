"""The queue on disk by itself: what a message costs between intake and outcome."""

from __future__ import annotations

from pathlib import Path

from postroad.model.message import Message
from postroad.model.queue import Settlement
from postroad.store.sqlite import SqliteStore

from .worker import SESSIONS, Worker


class Queue:
    """A queue of a worker's own, written in batches: new messages together with the end of those before."""

    def __init__(self, worker: Worker) -> None:
        self._loop = worker.loop
        self._store = SqliteStore(Path(worker.place) / "shard-0", clock=worker.core.clock, log=worker.log)
        worker.leftovers.append(self._store.close)

    async def carry(self, messages: list[Message]) -> None:
        """Accept all and settle all."""
        former: list[Message] = []
        for begin in range(0, len(messages), SESSIONS):
            batch = messages[begin : begin + SESSIONS]
            await self._write(batch, former)
            former = batch
        await self._write([], former)

    async def _write(self, new: list[Message], old: list[Message]) -> None:
        left = len(new) + len(old)
        written = self._loop.create_future()

        def then(error: BaseException | None) -> None:
            nonlocal left
            left -= 1
            if error is not None:
                written.set_exception(error)
            elif not left:
                written.set_result(None)

        for message in old:
            message.recipients[0].done = True
            self._store.settle(Settlement(message, 0.0), then)
        for message in new:
            self._store.accept(message, then)
        if not new:
            await self._store.find([])  # alone, what became of messages would wait for company
        await written
