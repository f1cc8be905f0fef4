"""The writer: one thread that makes one transaction, with one sync, of everything that waits.

The loop's thread adds changes and goes on; the writer takes all that have gathered while it was
busy and in the turn of the loop that follows, commits them together, and tells all their callers in
one call into the loop.  So there is at most one transaction a turn.  When a batch
fails, its members are tried by themselves, so that one that cannot be stored harms no other.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import apsw

from postroad.base.errors import StoreUnavailable
from postroad.store.body import UnreadableContent
from postroad.store.change import Change
from postroad.store.pace import Pace

T = TypeVar("T")
Ended = list[tuple[Change, BaseException | None]]
LINGER = 0.005  # seconds; how long what nobody waits for is kept for the next batch
_HOPELESS = 3  # single failures in a row, after which the rest of a batch is refused untried


class Call:
    """Work other than a change, for the writer's thread."""

    __slots__ = ("future", "work")

    def __init__(self, work: Callable[[], Any], future: asyncio.Future[Any]) -> None:
        self.work = work
        self.future = future


class Writer:
    """Runs ``write`` in a thread of its own.

    In the loop's thread, ``trouble`` is told when writing begins to fail (the reason) and when it
    works again (an empty text), and ``refused`` hears of a change that was not written, before its
    ``then``.

    Changes that are ``lasting`` are kept and tried again, after ``pause`` seconds or with the next
    batch, until they are written or the writer is closed; only one with an UnreadableContent is not.
    """

    def __init__(self, write: Callable[[Sequence[Change]], None], loop: asyncio.AbstractEventLoop, trouble: Callable[[str], None], refused: Callable[[Change], None] = lambda _change: None, pause: float = 1.0) -> None:  # fmt: skip  # noqa: E501
        self._write = write
        self._loop = loop
        self._trouble = trouble
        self._refused = refused
        self._pause = pause
        self._changes: deque[Change] = deque()
        self._calls: deque[Call] = deque()
        self._kept: list[Change] = []
        self._wake = threading.Lock()  # open while a round is wanted
        self._wake.acquire()
        self._idle = True  # no round is under way, or about to be: the loop's thread alone knows
        self._later: asyncio.TimerHandle | None = None  # settlements alone wait for company
        self._pace = Pace()
        self._failing = False
        self._closing = False
        self.batches = 0
        self._thread = threading.Thread(target=self._run, name="queue writer", daemon=True)
        self._thread.start()

    # --- in the loop's thread

    def add(self, change: Change) -> None:
        """Have a change written; its ``then`` is called in the loop's thread.

        No client waits for what becomes of a queued message: that joins the batch of the next new
        one, or has a batch of its own after a moment.
        """
        self._changes.append(change)
        alone = change.row is None  # no new message
        if not self._idle and (self._later is None or alone):
            return
        self._idle = False
        if alone:
            self._later = self._loop.call_later(LINGER, self._rouse)
        else:
            self._hurry()
            # At the end of this turn of the loop, so that what else is ready joins the batch.
            self._loop.call_soon(self._gather)

    def _hurry(self) -> None:
        """Do not let what waits linger any longer."""
        if self._later is not None:
            self._later.cancel()
            self._later = None

    def call(self, work: Callable[[], T]) -> asyncio.Future[T]:
        """Run ``work`` between two transactions.  Database and disk errors become StoreUnavailable."""
        future: asyncio.Future[T] = self._loop.create_future()
        if self._closing:
            future.set_exception(StoreUnavailable("the queue is closed"))
            return future
        self._calls.append(Call(work, future))
        if self._idle or self._later is not None:
            self._idle = False
            self._rouse()
        return future

    async def close(self) -> None:
        """Write what waits and end the thread.  What cannot be written now is told so."""
        if not self._closing:
            self._closing = True
            self._rouse()
        await self._loop.run_in_executor(None, self._thread.join)

    def _round_is_over(self, ended: Ended) -> None:
        """Tell how the round ended, and have the next begin, if it is wanted, after one more turn.

        What that turn of the loop brings joins the batch: a transaction costs as much as many rows.
        """
        self._pace.wrote(len(ended))
        try:
            self._tell(ended)
        finally:
            if self._calls or any(change.row is not None for change in self._changes):
                self._loop.call_soon(self._gather)
            elif self._changes:
                self._later = self._loop.call_later(LINGER, self._rouse)
            else:
                self._idle = True

    def _gather(self) -> None:
        """Have what waits written, alone or with what comes in a moment."""
        delay = 0.0 if self._calls else self._pace.delay(len(self._changes), self._loop.time())
        if delay:
            self._loop.call_later(delay, self._rouse)
        else:
            self._rouse()

    def _rouse(self) -> None:
        """Have the thread make a round; once is enough, however often it is asked for."""
        self._hurry()
        with contextlib.suppress(RuntimeError):
            self._wake.release()

    def _tell(self, ended: Ended) -> None:
        for change, error in ended:
            try:
                if error is not None:
                    self._refused(change)
                change.then(error)
            except Exception as failure:  # noqa: BLE001 - one caller's defect must not silence the others
                self._loop.call_exception_handler(
                    {"message": "a store's callback failed", "exception": failure}
                )

    # --- in the writer's thread

    def _run(self) -> None:
        while True:
            woken = self._wake.acquire(timeout=self._pause if self._kept else -1)
            self._round(self._round_is_over if woken else self._tell)
            if self._closing and not (self._changes or self._calls):
                break
        closed = StoreUnavailable("the queue is closed")
        self._in_loop(self._tell, [(change, closed) for change in self._kept])

    def _round(self, over: Callable[[Ended], None]) -> None:
        """Write what waits; ``over`` is told how it ended."""
        changes = _drain(self._changes)
        calls = _drain(self._calls)
        ended: Ended = []
        if self._kept:
            changes, self._kept = self._kept + changes, []
        if changes:
            self._commit(changes, ended)
            self.batches += 1
        if calls:
            self._in_loop(self._tell, ended)  # these may take long
            ended = []
            for call in calls:
                self._perform(call)
        self._in_loop(over, ended)

    def _commit(self, changes: list[Change], ended: Ended) -> None:
        error = self._attempt(changes, ended)
        if error is None:
            self._say("")
            return
        # Settlements first: what leaves the queue gives room.
        lasting = [change for change in changes if change.lasting]
        if lasting and len(lasting) < len(changes):
            retry = self._attempt(lasting, ended)
            if retry is not None:
                self._singly(lasting, ended, retry)
            self._singly([change for change in changes if not change.lasting], ended, error)
        else:
            self._singly(changes, ended, error)
        self._say(str(error))

    def _singly(self, changes: list[Change], ended: Ended, error: Exception) -> None:
        """Write changes one by one; after some failures in a row the others are given up as well."""
        failures = 0
        for change in changes:
            hopeless = failures >= _HOPELESS
            if not hopeless:
                failed = self._attempt([change], ended) if len(changes) > 1 else error
                if failed is None:
                    failures = 0
                    continue
                failures, error = failures + 1, failed
            if change.lasting and (hopeless or not isinstance(error, UnreadableContent)):
                self._kept.append(change)
            else:
                ended.append((change, unavailable(error)))

    def _attempt(self, changes: list[Change], ended: Ended) -> Exception | None:
        try:
            self._write(changes)
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing was promised
            return error
        ended += [(change, None) for change in changes]
        return None

    def _perform(self, call: Call) -> None:
        result: Any = None
        error: BaseException | None = None
        try:
            result = call.work()
        except (apsw.Error, OSError) as failure:
            error = unavailable(failure)
        except Exception as failure:  # noqa: BLE001 - it belongs to who waits
            error = failure
        self._in_loop(_resolve, call.future, result, error)

    def _say(self, reason: str) -> None:
        if bool(reason) != self._failing:
            self._failing = bool(reason)
            self._in_loop(self._trouble, reason)

    def _in_loop(self, work: Callable[..., None], *values: Any) -> None:
        try:
            self._loop.call_soon_threadsafe(work, *values)
        except RuntimeError:
            return  # the loop is gone, and with it everybody who could be told


def unavailable(error: BaseException) -> StoreUnavailable:
    """Return what the caller is told of a database's or disk's error."""
    if isinstance(error, StoreUnavailable):
        return error
    told = StoreUnavailable(f"queue file write error: {error}")
    told.__cause__ = error
    return told


def _drain(waiting: deque[T]) -> list[T]:
    taken: list[T] = []
    try:
        while True:
            taken.append(waiting.popleft())
    except IndexError:
        return taken


def _resolve(future: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
    if future.done():
        return  # who waited has gone
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)
