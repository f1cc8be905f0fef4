"""The queue in SQLite: the port ``Store`` over one shard.

The loop's thread packs envelopes, reads contents and is told the results; everything that is
written goes through the one writer thread.  One process owns a shard, so a lease of ours does not
run out while we live; those of a dead process are cleared when its shard is opened.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import TypeVar

from postroad.base.clock import Clock
from postroad.base.errors import StoreUnavailable
from postroad.base.log import Event, Log
from postroad.model.message import Content, Message
from postroad.model.queue import Settlement, Spool, Then
from postroad.store.adopt import adopt
from postroad.store.body import FileContent
from postroad.store.change import Change
from postroad.store.envelope import pack
from postroad.store.journal import SIZE, kept_aside
from postroad.store.reader import ShardReader
from postroad.store.shard import Shard
from postroad.store.writer import Writer, unavailable

T = TypeVar("T")
_SLICE = 100  # messages of one transaction when an operator means all: new mail waits for no more
_PATIENCE = 5.0  # seconds that who wants a deep queue flushed waits for it
LEASE = 3600.0  # seconds; how soon another node may take what a dead one had

TROUBLE = Event("qmgr", "warning: queue write error: %s", "The queue cannot be written.", urgent=True)
RECOVERED = Event("qmgr", "queue writes work again", "The queue can be written again.", urgent=True)
CORRUPT = Event(
    "qmgr", "error: %s: moved to the corrupt messages: %s", "A queued message cannot be read.", urgent=True
)
RETURNED = Event("qmgr", "%s: %d messages of a run that ended early are due now", "Leases were cleared.")
DAMAGED = Event(
    "qmgr",
    "error: mail may be missing: a part of the journal cannot be read; it is kept as %s",
    "A damaged journal was found, now or at an earlier start; what stands around the damage was read.",
    urgent=True,
)
ADOPTED = Event("qmgr", "%d messages taken over from %s", "The shard of a former worker was emptied.")


def _nobody_waits(_error: BaseException | None) -> None:
    """What is said about progress: the settlement will say it again."""


class SqliteStore:
    """The store of one worker.  Made in the loop's thread; ``close`` returns the leases.

    StoreUnavailable when the shard cannot be opened, ShardBusy when another process has it.
    ``pause`` is how long, in seconds, settlements that could not be written wait for the next try;
    ``journal_size`` how long, in bytes, each of the journal's two files grows.
    """

    def __init__(self, directory: Path | str, *, clock: Clock, log: Log, lease: float = LEASE, pause: float = 1.0, journal_size: int = SIZE) -> None:  # fmt: skip  # noqa: E501
        self._clock = clock
        self._log = log
        self._lease = lease
        self._leased: set[int] = set()
        self._flushing: set[asyncio.Future[list[int]]] = set()
        now = clock.now()
        self.owner = f"{os.uname().nodename}:{os.getpid()}:{now:.6f}"
        self._shard = shard = Shard(Path(directory), journal_size)
        shard.owner = self.owner
        try:
            returned = shard.return_leases(now)
            shard.check(now)
            self.newest = shard.newest()
            self._reader = ShardReader(shard.directory)
        except StoreUnavailable:
            shard.close()
            raise
        if returned:
            log.emit(RETURNED, shard.directory.name, returned)
        for path in kept_aside(shard.directory):
            log.emit(DAMAGED, path)
        self._report_damaged(shard)
        self._writer = Writer(shard.write, asyncio.get_running_loop(), self._trouble, self._refused, pause)

    # --- sessions and attempts

    def accept(self, message: Message, then: Then) -> None:
        """Queue a message, leased to us unless it is held; ``then(None)`` means committed and synced."""
        if message.key in self._leased:
            then(StoreUnavailable(f"{message.id} is queued already"))
            return
        change = Change(then, message.key)
        try:
            self._enter(change, message)
        except (StoreUnavailable, ValueError, TypeError) as error:
            self._refused(change)
            then(unavailable(error))
            return
        self._writer.add(change)

    def settle(self, settlement: Settlement, then: Then) -> None:
        """Write what an attempt changed; LookupError when the message is not leased to us."""
        message = settlement.message
        key = message.key
        if key not in self._leased:
            then(LookupError(f"{message.id} is not leased to {self.owner}"))
            return
        change = Change(then, key)
        change.lasting = True
        try:
            if message.is_done():
                change.done = key
            else:
                change.retry = (settlement.due, pack(message), key)
            if settlement.notices:
                change.notices = notices = [Change(then, notice.key) for notice in settlement.notices]
                for notice, new in zip(notices, settlement.notices, strict=True):
                    self._enter(notice, new)
        except (StoreUnavailable, ValueError, TypeError) as error:
            self._refused(change)
            then(unavailable(error))
            return
        self._leased.discard(key)
        self._writer.add(change)

    def progress(self, message: Message) -> None:
        """Write which recipients are done, with the next batch; the lease stays."""
        if message.key in self._leased:
            change = Change(_nobody_waits, message.key)
            try:
                change.progress = (pack(message), message.key)
            except (ValueError, TypeError):
                return
            self._writer.add(change)

    def _enter(self, change: Change, message: Message) -> None:
        """Make a change out of a new message."""
        content = message.content
        if content is None:
            raise StoreUnavailable(f"{message.id} has no content")
        key = message.key
        message.size = content.size
        if content.data is not None:
            change.carry(content.data)
        elif not self._is_ours(content, key):
            change.foreign = content
        if message.held:
            change.row = (key, message.due, "", 1, pack(message))
            return
        message.owner = self.owner
        message.due = self._clock.now() + self._lease
        change.row = (key, message.due, self.owner, 0, pack(message))
        self._leased.add(key)

    def _is_ours(self, content: Content, key: int) -> bool:
        return isinstance(content, FileContent) and content.path == self._shard.bodies.path(key)

    def _refused(self, change: Change) -> None:
        """Undo what was not written: a new message has no lease and no file, an old one is still ours."""
        if change.done or change.retry is not None:
            self._leased.add(change.done or change.retry[2])  # type: ignore[index]
        for new in (change, *change.notices):
            if new.row is not None:
                self._leased.discard(new.row[0])
                if new.body is None:
                    self._shard.bodies.remove(new.row[0])

    async def claim(self, *, now: float, most: int) -> list[Message]:
        """Lease up to ``most`` messages whose time has come, earliest first; contents are not loaded."""
        until = now + self._lease
        found = await self._writer.call(lambda: self._shard.claim(now, until, self.owner, most))
        self._leased.update([message.key for message in found])
        self._report_damaged(self._shard)
        return found

    async def give_back(self, keys: Iterable[int], *, now: float) -> None:
        """End leases of ours without an attempt."""
        ours = [key for key in keys if key in self._leased]
        await self._writer.call(partial(self._shard.give_back, ours, now))
        self._leased.difference_update(ours)

    def content(self, message: Message) -> Content:
        """Return a message's content; StoreUnavailable when it cannot be read."""
        if message.content is not None:
            return message.content
        content = self._shard.content(message.key) or self._reader.stored(message)
        if content is None:
            raise StoreUnavailable(f"the content of {message.id} is missing")
        return content

    def spool(self, key: int) -> Spool:
        """Begin a content that is too large for memory.  StoreUnavailable when the disk refuses it."""
        return self._shard.bodies.spool(key)

    # --- operators

    async def hold(self, keys: Iterable[int] | None) -> list[int]:
        """Put on hold; None means all.  Returns the keys that changed."""
        return await self._operate("hold", keys)

    async def release(self, keys: Iterable[int] | None) -> list[int]:
        """Release from hold."""
        return await self._operate("release", keys)

    async def requeue(self, keys: Iterable[int] | None, *, now: float) -> list[int]:
        """Make due at once; releases from hold as well."""
        return await self._operate("requeue", keys, now=now)

    async def expire(self, keys: Iterable[int] | None) -> list[int]:
        """Mark as expired by force: attribute ``expired`` of a message that is claimed afterwards."""
        return await self._operate("expire", keys)

    async def flush(self, keys: Iterable[int] | None, *, now: float) -> list[int]:
        """Make deferred messages due now.

        In a deep queue what is not done after some seconds goes on by itself, and is not in the answer.
        """
        if keys is not None:
            return await self._operate("flush", keys, now=now)
        flushing = asyncio.ensure_future(self._operate("flush", None, now=now))
        self._flushing.add(flushing)
        flushing.add_done_callback(self._flushed)
        await asyncio.wait([flushing], timeout=_PATIENCE)
        return flushing.result() if flushing.done() else []

    def _flushed(self, flushing: asyncio.Future[list[int]]) -> None:
        self._flushing.discard(flushing)
        if not flushing.cancelled() and (error := flushing.exception()) is not None:
            self._log.emit(TROUBLE, f"flush: {error}")

    async def delete(self, keys: Iterable[int] | None) -> list[int]:
        """Remove from the queue, without a bounce; what is being delivered goes when that has ended."""
        return await self._operate("delete", keys)

    async def find(self, keys: Iterable[int] | None = None) -> list[Message]:
        """Return messages without contents, in order of arrival; None means all."""
        if keys is None:
            return await self._read(lambda reader: reader.find(None))
        return await self._writer.call(lambda: self._shard.find(keys))

    async def page(self, which: str, *, after: int, most: int) -> list[Message]:
        """Return the next messages of a kind, without contents."""
        return await self._writer.call(lambda: self._shard.page(which, after, most))

    async def count(self) -> int:
        """Return how many messages are queued."""
        return await self._read(lambda reader: reader.count())

    # --- the shard as a whole

    async def adopt(self, directory: Path | str) -> int:
        """Move all messages of a shard that nobody serves here, and remove it.  Before the first claim.

        ShardBusy when somebody does serve it; nothing is changed then.
        """
        source = Path(directory)
        moved, other = await self._writer.call(lambda: self._take_over(source))
        self._report_damaged(other)
        self._log.emit(ADOPTED, moved, source.name)
        return moved

    def _take_over(self, directory: Path) -> tuple[int, Shard]:
        other = Shard(directory)
        try:
            other.return_leases(self._clock.now())
            other.check(self._clock.now())
            moved = adopt(self._shard, other)
            other.remove_if_empty()
        finally:
            other.close()
        return moved, other

    async def close(self) -> None:
        """Write what waits and return the leases."""
        for flushing in self._flushing:
            flushing.cancel()
        await self._writer.close()
        try:
            self._shard.return_leases(self._clock.now())
        finally:
            self._reader.close()
            self._shard.close()

    @property
    def transactions(self) -> int:
        """Return how many batches were written since the start."""
        return self._writer.batches

    # --- helpers

    async def _operate(self, verb: str, keys: Iterable[int] | None, **values: float) -> list[int]:
        """Do an operator's verb; to all in slices, between which others get their turn."""
        if keys is not None:
            return await self._writer.call(partial(self._shard.operate, verb, keys, **values))
        changed: list[int] = []
        after = -1
        while part := await self._writer.call(partial(self._shard.keys, after, _SLICE)):
            changed += await self._writer.call(partial(self._shard.operate, verb, part, **values))
            after = part[-1]
        return changed

    async def _read(self, work: Callable[[ShardReader], T]) -> T:
        """Read in another thread: a long list must not keep commits waiting."""

        def read() -> T:
            reader = ShardReader(self._shard.directory)
            try:
                return work(reader)
            finally:
                reader.close()

        return await asyncio.get_running_loop().run_in_executor(None, read)

    def _trouble(self, reason: str) -> None:
        if reason:
            self._log.emit(TROUBLE, reason)
        else:
            self._log.emit(RECOVERED)

    def _report_damaged(self, shard: Shard) -> None:
        damaged = shard.backlog.damaged
        while damaged:
            self._log.emit(CORRUPT, *damaged.pop())
