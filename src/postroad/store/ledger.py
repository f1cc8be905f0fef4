"""What the journal holds: the messages that are in it and not yet in the database."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

from postroad.store.batch import DONE, NEW, RETRY, Entry


class Pending:
    """A message in the journal.  ``size`` -1: its content is a file of its own."""

    __slots__ = ("at", "checksum", "due", "envelope", "file", "held", "leased", "size")

    def __init__(self, entry: Entry, file: int, at: int) -> None:
        _, _, self.due, self.leased, self.held, self.envelope, self.size, self.checksum = entry
        self.file = file
        self.at = at


class Ledger:
    """Follows the journal, batch by batch: as it is written, and as it is read again.

    ``idle`` are the messages that nobody has leased, deferred or held ones; none of those deferred
    is due before ``earliest``.
    """

    def __init__(self) -> None:
        self.messages: dict[int, Pending] = {}
        self.idle: set[int] = set()
        self.earliest = inf

    def apply(self, entries: Sequence[Entry], file: int, at: int) -> None:
        """Take a batch whose contents begin at ``at`` of a file.  What is said of others is past."""
        messages = self.messages
        for entry in entries:
            kind, key = entry[0], entry[1]
            if kind == NEW:
                messages[key] = pending = Pending(entry, file, at)
                if pending.size > 0:
                    at += pending.size
                if not pending.leased:
                    self._idle(key, pending)
            elif kind == DONE:
                messages.pop(key, None)
                self.idle.discard(key)
            elif (known := messages.get(key)) is not None:
                known.envelope = entry[-1]
                if kind == RETRY:
                    known.due, known.leased = entry[2], False
                    self._idle(key, known)

    def _idle(self, key: int, pending: Pending) -> None:
        self.idle.add(key)
        if pending.due < self.earliest and not pending.held:
            self.earliest = pending.due

    def keys_in(self, file: int) -> list[int]:
        """Return the messages whose entries are in a file."""
        return [key for key, pending in self.messages.items() if pending.file == file]

    def forget(self, keys: Sequence[int]) -> None:
        """Messages have moved to the database."""
        for key in keys:
            self.messages.pop(key, None)
        self.idle.difference_update(keys)
        if not self.idle:
            self.earliest = inf
