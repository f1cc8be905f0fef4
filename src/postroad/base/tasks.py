"""Coroutines that mostly do not wait, and tasks that are never lost.

A stage's decisions are written as ``async def``.  Most of the time nothing in them waits (no table
behind a socket, the DNS answer in the cache), so ``start`` runs the coroutine at once to its end
and hands the result over without a task, a future or a turn of the loop.  Only when it does wait
is the rest of it made a task.

What runs under ``start`` may await futures and tasks, but may not call ``asyncio.timeout``,
``asyncio.wait_for``, ``asyncio.sleep`` or anything else that asks for the current task, because
there may be none: wrap such a piece in ``spawn`` and await that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Generator
from types import CoroutineType
from typing import Any, TypeVar

T = TypeVar("T")
_running: set[asyncio.Future[Any]] = set()
_report: list[Callable[[str, BaseException], None]] = []


def on_failure(report: Callable[[str, BaseException], None]) -> None:
    """Say who is told of an exception in a spawned task that nobody awaits (the log)."""
    _report[:] = [report]


def spawn(coro: Coroutine[Any, Any, T], name: str = "") -> asyncio.Task[T]:
    """Run a coroutine as a task, keep a reference until it ends, and report its failure."""
    task = asyncio.get_running_loop().create_task(coro, name=name or getattr(coro, "__qualname__", "task"))
    _running.add(task)
    task.add_done_callback(_ended)
    return task


def _ended(task: asyncio.Future[Any]) -> None:
    _running.discard(task)
    if task.cancelled():
        return
    error = task.exception()
    if error is not None and _report:
        _report[0](getattr(task, "get_name", str)(), error)


async def result(answer: T | Coroutine[Any, Any, T]) -> T:
    """Return what is there already, or what a coroutine returns."""
    known: Any = answer
    if known.__class__ is CoroutineType:
        known = await known
    return known  # type: ignore[no-any-return]


class _Rest:
    """The rest of a coroutine that has been stepped once and yielded ``first``."""

    __slots__ = ("_coro", "_first")

    def __init__(self, coro: Coroutine[Any, Any, T], first: Any) -> None:
        self._coro = coro
        self._first = first

    def __await__(self) -> Generator[Any, Any, Any]:
        wanted = self._first
        while True:
            try:
                sent = yield wanted
            except BaseException as error:  # noqa: BLE001 - it belongs to the coroutine
                step: Any = self._coro.throw
                value: Any = error
            else:
                step = self._coro.send
                value = sent
            try:
                wanted = step(value)
            except StopIteration as end:
                return end.value


async def _finish(rest: _Rest) -> Any:
    return await rest


def start(coro: Coroutine[Any, Any, T], then: Callable[[T | None, BaseException | None], None]) -> bool:
    """Run a coroutine; call ``then(result, error)`` when it ends.  True if that was at once.

    ``then`` is called exactly once, before ``start`` returns when nothing waited.
    """
    try:
        wanted = coro.send(None)
    except StopIteration as end:
        then(end.value, None)
        return True
    except Exception as error:  # noqa: BLE001 - handed over
        then(None, error)
        return True

    task = asyncio.get_running_loop().create_task(_finish(_Rest(coro, wanted)))
    _running.add(task)

    def ended(done: asyncio.Task[Any]) -> None:
        _running.discard(done)
        if done.cancelled():
            then(None, asyncio.CancelledError())
        else:
            error = done.exception()
            then(None if error else done.result(), error)

    task.add_done_callback(ended)
    return False
