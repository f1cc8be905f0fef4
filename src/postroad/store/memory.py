"""The queue in memory: the reference that is small enough to be seen to be right, and quick for tests.

It forgets everything when the process ends, so no server uses it.  Several stores over the same
``Rows`` are several nodes on one queue; here leases run out by the clock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from postroad.base.clock import Clock
from postroad.base.errors import StoreUnavailable
from postroad.model.message import Content, Message, Text
from postroad.model.queue import Settlement, Spool, Then
from postroad.store.envelope import pack
from postroad.store.listing import KINDS
from postroad.store.row import EXPIRED, REQUEUED, message_of


class _Row:
    __slots__ = ("again", "content", "deleted", "due", "envelope", "held", "marks", "owner")

    def __init__(self, message: Message, content: Content) -> None:
        self.content = content
        self.envelope = pack(message)
        self.owner = message.owner
        self.due = message.due
        self.held = message.held
        self.marks = 0
        self.deleted = False
        self.again: float | None = None

    def message(self, key: int) -> Message:
        return message_of((key, self.due, self.owner, self.held, self.marks, self.envelope))


Rows = dict[int, _Row]


class MemoryStore:
    """A store without a disk.  ``full`` makes it refuse new messages, as a full disk does."""

    def __init__(self, clock: Clock, rows: Rows | None = None, *, owner: str = "memory", lease: float = 3600.0) -> None:  # fmt: skip  # noqa: E501
        self._clock = clock
        self._rows: Rows = {} if rows is None else rows
        self.owner = owner
        self._lease = lease
        self.full = False

    def accept(self, message: Message, then: Then) -> None:
        """Queue a message; ``then`` is called before this returns."""
        if self.full:
            then(StoreUnavailable("queue file write error: no space left"))
        elif message.key in self._rows:
            then(StoreUnavailable(f"{message.id} is queued already"))
        elif message.content is None:
            then(StoreUnavailable(f"{message.id} has no content"))
        else:
            self._enter(message, message.content)
            then(None)

    def settle(self, settlement: Settlement, then: Then) -> None:
        """Write what an attempt changed; ``then`` is called before this returns."""
        message = settlement.message
        row = self._rows.get(message.key)
        if row is None or row.owner != self.owner:
            then(LookupError(f"{message.id} is not leased to {self.owner}"))
            return
        if message.is_done() or row.deleted:
            del self._rows[message.key]
        else:
            row.envelope, row.owner = pack(message), ""
            row.due = settlement.due if row.again is None else min(row.again, settlement.due)
            if row.again is None:
                row.marks &= EXPIRED
            row.again = None
        for notice in settlement.notices:
            assert notice.content is not None
            self._enter(notice, notice.content)
        then(None)

    def progress(self, message: Message) -> None:
        """Write which recipients are done; the lease stays."""
        row = self._rows.get(message.key)
        if row is not None and row.owner == self.owner:
            row.envelope = pack(message)

    def _enter(self, message: Message, content: Content) -> None:
        message.size = content.size
        if not message.held:
            message.owner, message.due = self.owner, self._clock.now() + self._lease
        self._rows[message.key] = _Row(message, content)

    async def claim(self, *, now: float, most: int) -> list[Message]:
        """Lease what is due; a lease of another that has run out is taken."""
        due = sorted(
            (row.due, key)
            for key, row in self._rows.items()
            if row.due <= now and not row.held and row.owner != self.owner
        )
        found = []
        for _due, key in due[:most]:
            row = self._rows[key]
            row.owner, row.due = self.owner, now + self._lease
            found.append(row.message(key))
        return found

    def content(self, message: Message) -> Content:
        """Return a message's content."""
        if message.content is not None:
            return message.content
        row = self._rows.get(message.key)
        if row is None:
            raise StoreUnavailable(f"the content of {message.id} is missing")
        return row.content

    def spool(self, key: int) -> Spool:
        """Begin a content; it is kept in memory all the same."""
        del key
        return _MemorySpool()

    async def hold(self, keys: Iterable[int] | None) -> list[int]:
        """Put on hold."""

        def held(row: _Row) -> bool:
            changed, row.held = not row.held, True
            return changed

        return self._change(keys, held)

    async def release(self, keys: Iterable[int] | None) -> list[int]:
        """Release from hold."""

        def released(row: _Row) -> bool:
            changed, row.held = row.held, False
            return changed

        return self._change(keys, released)

    async def requeue(self, keys: Iterable[int] | None, *, now: float) -> list[int]:
        """Make due at once and release."""

        def requeued(row: _Row) -> bool:
            row.held = False
            row.marks |= REQUEUED
            if row.owner:
                row.again = now
            else:
                row.due = now
            return True

        return self._change(keys, requeued)

    async def expire(self, keys: Iterable[int] | None) -> list[int]:
        """Mark as expired by force."""

        def expired(row: _Row) -> bool:
            before, row.marks = row.marks, row.marks | EXPIRED
            return row.marks != before

        return self._change(keys, expired)

    async def flush(self, keys: Iterable[int] | None, *, now: float) -> list[int]:
        """Make deferred messages due now."""

        def flushed(row: _Row) -> bool:
            if row.owner or row.held or row.due <= now:
                return False
            row.due = now
            return True

        return self._change(keys, flushed)

    async def delete(self, keys: Iterable[int] | None) -> list[int]:
        """Remove, at once or when the delivery under way has ended."""

        def deleted(row: _Row) -> bool:
            row.deleted = True
            return True

        changed = self._change(keys, deleted)
        for key in changed:
            if not self._rows[key].owner:
                del self._rows[key]
        return changed

    async def give_back(self, keys: Iterable[int], *, now: float) -> None:
        """End leases of ours without an attempt."""
        for key in keys:
            row = self._rows.get(key)
            if row is not None and row.owner == self.owner:
                row.owner, row.due = "", now
                if row.deleted:
                    del self._rows[key]

    async def find(self, keys: Iterable[int] | None = None) -> list[Message]:
        """Return messages without contents, in order of arrival."""
        wanted = sorted(self._rows if keys is None else set(keys) & self._rows.keys())
        return [self._rows[key].message(key) for key in wanted if not self._rows[key].deleted]

    async def page(self, which: str, *, after: int, most: int) -> list[Message]:
        """Return the next messages of a kind."""
        if which not in KINDS:
            raise ValueError(f"no such kind of messages: {which}")
        found: list[Message] = []
        for key in sorted(key for key in self._rows if key > after):
            row = self._rows[key]
            kind = "held" if row.held else "active" if row.owner else "waiting"
            if not row.deleted and which in (kind, "all") and len(found) < most:
                found.append(row.message(key))
        return found

    async def count(self) -> int:
        """Return how many messages are queued."""
        return sum(not row.deleted for row in self._rows.values())

    async def close(self) -> None:
        """Return the leases."""
        for key, row in list(self._rows.items()):
            if row.owner == self.owner:
                row.owner, row.due = "", self._clock.now()
                if row.deleted:
                    del self._rows[key]

    def _change(self, keys: Iterable[int] | None, change: Callable[[_Row], bool]) -> list[int]:
        wanted = sorted(self._rows if keys is None else set(keys) & self._rows.keys())
        return [key for key in wanted if not self._rows[key].deleted and change(self._rows[key])]


class _MemorySpool:
    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, data: bytes) -> None:
        self._pieces.append(bytes(data))

    def finish(self) -> Content:
        return Text(b"".join(self._pieces))

    def abort(self) -> None:
        self._pieces.clear()
