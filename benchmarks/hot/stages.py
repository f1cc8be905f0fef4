"""The stages that are measured, each with what has to be there before it begins."""

from __future__ import annotations

import gc
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TypeVar

from .queue import Queue
from .worker import SESSIONS, Worker

#: Messages before the measured ones: caches fill, connections open, the interpreter adapts itself.
_WARM = 3 * SESSIONS
T = TypeVar("T")
Work = Callable[[], Awaitable[None]]


async def receive(worker: Worker, messages: int) -> Work:
    """Incoming SMTP until the 250, over sessions that send many."""
    worker.forwarding(False)
    await worker.receive(_WARM)
    return partial(worker.receive, messages)


async def visit(worker: Worker, messages: int) -> Work:
    """The same with a session for each message: connect, EHLO, one message, QUIT."""
    worker.forwarding(False)
    await worker.visit(_WARM)
    return partial(worker.visit, messages)


async def forward(worker: Worker, messages: int) -> Work:
    """Scheduler, routing, outgoing SMTP, outcome, settlement."""
    queued = await worker.queued(_WARM + messages)
    worker.forwarding(True)
    await worker.forward(queued[:_WARM])
    return partial(worker.forward, queued[_WARM:])


async def queue(worker: Worker, messages: int) -> Work:
    """The queue on disk: accepted and settled."""
    queued = await worker.queued(_WARM + messages)
    disk = Queue(worker)
    await disk.carry(queued[:_WARM])
    return partial(disk.carry, queued[_WARM:])


async def whole(worker: Worker, messages: int) -> Work:
    """Both halves, joined."""
    worker.forwarding(True)
    await worker.whole(_WARM)
    return partial(worker.whole, messages)


STAGES: dict[str, Callable[[Worker, int], Awaitable[Work]]] = {
    "receive": receive,
    "visit": visit,
    "queue": queue,
    "forward": forward,
    "whole": whole,
}


async def measured(name: str, messages: int, mark: Callable[[], T], worker: Worker) -> tuple[T, T]:
    """Run a stage; return what ``mark()`` gave before and after it."""
    await worker.connect()
    work = await STAGES[name](worker, messages)
    with _calm_collector():
        before = mark()
        await work()
        after = mark()
    if worker.world.taken != worker.store.settled:
        raise RuntimeError(f"{name}: not everything was delivered")
    return before, after


@contextmanager
def _calm_collector() -> Iterator[None]:
    """Do as a worker does once it serves (``app.worker``)."""
    usual = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
    yield
    gc.set_threshold(*usual)
    gc.unfreeze()
