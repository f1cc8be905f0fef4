"""The stages that are measured, each with what has to be there before it begins."""

from __future__ import annotations

import gc
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from .worker import SESSIONS, Worker

#: Messages before the measured ones: caches fill, connections open, the interpreter adapts itself.
_WARM = 3 * SESSIONS
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
    worker.forwarding(False)
    store = worker.store
    store.keeps = True
    await worker.receive(_WARM + messages)
    store.keeps = False
    queued, store.messages = store.messages, []
    worker.forwarding(True)
    await worker.forward(queued[:_WARM])
    return partial(worker.forward, queued[_WARM:])


async def whole(worker: Worker, messages: int) -> Work:
    """Both halves, joined."""
    worker.forwarding(True)
    await worker.whole(_WARM)
    return partial(worker.whole, messages)


STAGES: dict[str, Callable[[Worker, int], Awaitable[Work]]] = {
    "receive": receive,
    "visit": visit,
    "forward": forward,
    "whole": whole,
}


async def measured(name: str, messages: int, mark: Callable[[], Any], worker: Worker) -> tuple[Any, Any]:
    """Run a stage; return what ``mark()`` gave before and after it."""
    await worker.connect()
    work = await STAGES[name](worker, messages)
    _calm_collector()
    before = mark()
    await work()
    after = mark()
    if worker.world.taken != worker.store.settled:
        raise RuntimeError(f"{name}: not everything was delivered, see what the log says")
    return before, after


def _calm_collector() -> None:
    """Do as a worker does once it serves (``app.worker``)."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
