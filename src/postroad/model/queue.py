"""The queue, as the stages see it, and what an attempt to deliver changes in it.

``then`` callbacks are called on the loop's thread, exactly once, and may be called before the
method that takes them returns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from postroad.model.message import Content, Message

Then = Callable[[BaseException | None], None]


class Spool(Protocol):
    """A content too large for memory, on its way to a file."""

    def write(self, data: bytes) -> None:
        """Append.  StoreUnavailable when the disk is full."""
        ...

    def finish(self) -> Content:
        """Return the content; the file is synced by the commit that accepts the message."""
        ...

    def abort(self) -> None:
        """Remove the file."""
        ...


class Settlement:
    """What one attempt changes, in one transaction.

    The message's recipients carry ``done``, ``reason``, ``status`` already.  ``due`` is the next
    attempt; when every recipient is done the message leaves the queue.  ``notices`` are new
    messages (bounces, delay warnings) that are accepted in the same transaction.
    """

    __slots__ = ("due", "message", "notices")

    def __init__(self, message: Message, due: float, notices: Sequence[Message] = ()) -> None:
        self.message = message
        self.due = due
        self.notices = notices


class Store(Protocol):
    """The queue.  Every verb is one transaction; ``accept`` and ``settle`` of many callers share one sync.

    A claim carries a lease: ``message.owner`` and ``message.due`` (when it runs out).  A settlement
    of a message whose lease is no longer the caller's fails with LookupError and changes nothing.
    """

    def accept(self, message: Message, then: Then) -> None:
        """Queue a message, leased to this store's owner; ``then(None)`` means committed and synced."""
        ...

    def settle(self, settlement: Settlement, then: Then) -> None:
        """Write what an attempt changed: done, retry and bounce are one transaction."""
        ...

    def progress(self, message: Message) -> None:
        """Write soon which recipients are done while the others are still tried; the lease stays.

        A crash then repeats no delivery that is written.  A failure to write is no error: the
        settlement will say the same.
        """
        ...

    async def claim(self, *, now: float, most: int) -> list[Message]:
        """Lease up to ``most`` messages whose time has come, earliest first; contents are not loaded."""
        ...

    async def give_back(self, keys: Iterable[int], *, now: float) -> None:
        """End leases of ours without an attempt: due now; what operators deleted meanwhile leaves."""
        ...

    def content(self, message: Message) -> Content:
        """Return the content of a message; it stays readable until the message leaves the queue."""
        ...

    def spool(self, key: int) -> Spool:
        """Begin a content that is larger than queue_inline_limit."""
        ...

    async def hold(self, keys: Iterable[int] | None) -> list[int]:
        """Put on hold; None means all.  Returns the keys that changed."""
        ...

    async def release(self, keys: Iterable[int] | None) -> list[int]:
        """Release from hold."""
        ...

    async def requeue(self, keys: Iterable[int] | None, *, now: float) -> list[int]:
        """Make due at once and route again; releases from hold as well."""
        ...

    async def expire(self, keys: Iterable[int] | None) -> list[int]:
        """Mark as expired by force: the next attempt returns it to its sender."""
        ...

    async def flush(self, keys: Iterable[int] | None, *, now: float) -> list[int]:
        """Make deferred messages due now."""
        ...

    async def delete(self, keys: Iterable[int] | None) -> list[int]:
        """Remove from the queue, without a bounce."""
        ...

    async def find(self, keys: Iterable[int] | None = None) -> list[Message]:
        """Return messages without contents, in order of arrival; None means all."""
        ...

    async def page(self, which: str, *, after: int, most: int) -> list[Message]:
        """Return at most ``most`` messages with greater keys than ``after``, in order of arrival.

        ``which`` is "active" (leased, not held), "waiting" (neither), "held" or "all".  An empty list
        means that there are no more.  Costs no more in a deep queue.
        """
        ...

    async def count(self) -> int:
        """Return how many messages are queued."""
        ...
