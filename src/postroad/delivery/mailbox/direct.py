"""Writes mailboxes of our own user, in threads, so that the loop never waits for a disk."""

from __future__ import annotations

import asyncio
import os
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from postroad.base.clock import Clock
from postroad.delivery.mailbox import mbox
from postroad.delivery.mailbox.folder import parts_of
from postroad.delivery.mailbox.maildir import MaildirWriter
from postroad.delivery.mailbox.request import Delivery, Result
from postroad.delivery.mailbox.wire import BATCH
from postroad.model.message import Content

Then = Callable[[Result], None]

_MBOX_THREADS = 4


class Writer(Protocol):
    """Writes to mailboxes; ``then`` is called once, on the loop's thread."""

    def write(self, delivery: Delivery, content: Content, then: Then) -> None:
        """Deliver; a 2.x.x result means written and synced."""
        ...

    async def close(self) -> None:
        """Finish what was begun."""
        ...


class _Job:
    __slots__ = ("content", "delivery", "then")

    def __init__(self, delivery: Delivery, content: Content, then: Then) -> None:
        self.delivery = delivery
        self.content = content
        self.then = then


class DirectWriter:
    """Writes with this process's own rights; see ``Writers`` for whose mailboxes it is given.

    What arrives while a batch of Maildir deliveries is written makes the next batch.  Two
    deliveries to one mbox follow each other, because a process cannot lock out itself.
    """

    def __init__(self, clock: Clock, *, sleep: mbox.Sleep = time.sleep) -> None:
        self._clock = clock
        self._sleep = sleep
        self._maildir_writer = MaildirWriter(clock)  # the one thread's
        self._waiting: list[_Job] = []
        self._mailboxes: dict[tuple[bytes, bytes], deque[_Job]] = {}
        self._writing = False
        self._maildirs = ThreadPoolExecutor(1, "maildir")
        self._mboxes = ThreadPoolExecutor(_MBOX_THREADS, "mbox")
        self._ended: asyncio.Event | None = None

    def write(self, delivery: Delivery, content: Content, then: Then) -> None:
        """Deliver to a Maildir or an mbox."""
        job = _Job(delivery, content, then)
        if not delivery.is_maildir:
            self._queue_mbox(job)
            return
        self._waiting.append(job)
        if not self._writing:
            self._writing = True
            # At the end of this turn, so that all of the turn's deliveries are in the batch.
            asyncio.get_running_loop().call_soon(self._begin_batch)

    async def close(self) -> None:
        """Wait for what is being written."""
        if self._writing or self._mailboxes:
            self._ended = asyncio.Event()
            await self._ended.wait()
        self._maildirs.shutdown(wait=False)
        self._mboxes.shutdown(wait=False)

    # --- Maildirs

    def _begin_batch(self) -> None:
        batch, self._waiting = self._waiting[:BATCH], self._waiting[BATCH:]
        future = asyncio.get_running_loop().run_in_executor(self._maildirs, self._write_batch, batch)
        future.add_done_callback(lambda done: self._end_batch(batch, done))

    def _write_batch(self, batch: list[_Job]) -> list[Result]:
        results = self._maildir_writer.deliver([(job.delivery, job.content) for job in batch])
        if not self._waiting:  # nothing stays open while there is nothing to do
            self._maildir_writer.close()
        return results

    def _end_batch(self, batch: list[_Job], done: asyncio.Future[list[Result]]) -> None:
        error = done.exception()
        results = [_defect(error)] * len(batch) if error else done.result()
        if self._waiting:
            self._begin_batch()
        else:
            self._writing = False
        for job, result in zip(batch, results, strict=True):
            job.then(result)
        self._check_ended()

    # --- mboxes

    def _queue_mbox(self, job: _Job) -> None:
        try:
            key = (job.delivery.base, b"/".join(parts_of(job.delivery.path)))
        except ValueError as error:
            job.then(Result("4.3.5", f"delivery failed to mailbox {os.fsdecode(job.delivery.path)}: {error}"))
            return
        queue = self._mailboxes.get(key)
        if queue is not None:
            queue.append(job)
            return
        self._mailboxes[key] = deque()
        self._begin_mbox(key, job)

    def _begin_mbox(self, key: tuple[bytes, bytes], job: _Job) -> None:
        loop = asyncio.get_running_loop()
        future = loop.run_in_executor(
            self._mboxes, mbox.deliver, job.delivery, job.content, self._clock, self._sleep
        )
        future.add_done_callback(lambda done: self._end_mbox(key, job, done))

    def _end_mbox(self, key: tuple[bytes, bytes], job: _Job, done: asyncio.Future[Result]) -> None:
        error = done.exception()
        queue = self._mailboxes[key]
        if queue:
            self._begin_mbox(key, queue.popleft())
        else:
            del self._mailboxes[key]
        job.then(_defect(error) if error else done.result())
        self._check_ended()

    def _check_ended(self) -> None:
        if self._ended is not None and not self._writing and not self._mailboxes:
            self._ended.set()


def _defect(error: BaseException) -> Result:
    """Return the result of a delivery that ended in a defect of ours: deferred, and loud."""
    return Result("4.3.0", "mail system error", (f"mailbox delivery: {error!r}",))


class Writers:
    """Gives each delivery to whoever may write as the mailbox's owner."""

    def __init__(self, direct: Writer, helper: Writer | None = None) -> None:
        self._direct = direct
        self._helper = helper
        self._own = (os.geteuid(), os.getegid())

    def write(self, delivery: Delivery, content: Content, then: Then) -> None:
        """Deliver directly to our own mailboxes, by the helper to all others."""
        # Never directly as root: its rights would make every link and every mode meaningless.
        if (delivery.uid, delivery.gid) == self._own and delivery.uid != 0:
            self._direct.write(delivery, content, then)
        elif self._helper is not None:
            self._helper.write(delivery, content, then)
        else:
            then(
                Result(
                    "4.3.5",
                    f"mailbox of user ID {delivery.uid}, group ID {delivery.gid}: "
                    "only a server that is started as root can deliver to it",
                )
            )

    def take(self, helper: Writer) -> Writer | None:
        """Ask another helper from now on; returns the one before, for the caller to close."""
        former, self._helper = self._helper, helper
        return former

    async def close(self) -> None:
        """Close both."""
        await self._direct.close()
        if self._helper is not None:
            await self._helper.close()
