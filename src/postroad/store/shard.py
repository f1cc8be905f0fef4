"""One shard of the queue: a journal, a database, and a directory of large contents.

What is accepted goes to the journal; what stays in the queue moves to the database in time.
Everything here is synchronous and is called from one thread at a time: the writer's in the
server, a tool's own when no server runs.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path

import apsw

from postroad.base.errors import StoreUnavailable
from postroad.base.ids import id_of
from postroad.model.message import Message, Text
from postroad.store.backlog import ROWS, Backlog, Part, Values
from postroad.store.batch import DONE, NEW, PROGRESS, RETRY, Entry
from postroad.store.body import Bodies
from postroad.store.change import Change
from postroad.store.database import connect
from postroad.store.directory import give_to_owner, make_directory
from postroad.store.journal import SIZE, Journal, keep_aside, kept_aside
from postroad.store.ledger import Ledger, Pending
from postroad.store.listing import find, page
from postroad.store.lock import ShardLock
from postroad.store.replay import replay
from postroad.store.sql import migrate

Read = Callable[[int, int, int, int], bytes | None]
Row = tuple[int, float, str, int, bytes, bool]
IDLE = 20_000  # deferred and held messages that may be in the journal; they take memory there


class Shard:
    """An open shard.  ``owner`` is who has the leases of what is in the journal."""

    def __init__(self, directory: Path, journal_size: int = SIZE) -> None:
        make_directory(directory)
        self.directory = directory
        self.owner = "nobody"
        self._lock = ShardLock(directory)
        self._ledger = Ledger()
        self._lost: list[int] = []  # messages whose content is missing or damaged
        self._moved: list[Entry] = []  # what the journal is to be told with its next batch
        try:
            self.bodies = Bodies(directory / "bodies")
            if os.geteuid() == 0:
                give_to_owner(directory)
            db = connect(directory / "queue.db")
            migrate(db)
            self.backlog = Backlog(db, self.bodies)
            self.recovered = self._recover()
            self._journal = Journal(directory, self._generation + 1, journal_size)
            if os.geteuid() == 0:
                give_to_owner(directory)
            in_files = self.backlog.in_files()
        except (apsw.Error, OSError) as error:
            self._lock.close()
            raise StoreUnavailable(f"cannot open the queue in {directory}: {error}") from error
        except StoreUnavailable:
            self._lock.close()
            raise
        self.purged = self.bodies.purge(set(in_files))
        self._lost += [key for key in in_files if key not in self.bodies.keys]

    def _recover(self) -> int:
        """Move what a crash left in the journal to the database.  Return how many messages those were."""
        settled = self.backlog.settled()
        found = replay(self.directory, settled)
        self._generation = max([0, *settled.values(), *found.generations.values()])
        messages = found.ledger.messages
        try:
            parts = self._parts(messages, messages, found.read, [], strict=True)
            self.backlog.insert(parts, found.generations)
            for file in found.damaged():
                keep_aside(self.directory, file)
        finally:
            found.close()
        return len(messages)

    def close(self) -> None:
        """Close the files and let the shard go.  What the database cannot take stays in the journal."""
        with contextlib.suppress(StoreUnavailable, OSError):  # the next start finds what stays
            self._sink(list(self._ledger.messages), self._journal.generations())
            self._journal.remove()
        self._journal.close()
        self.backlog.db.close()
        self._lock.close()

    def remove_if_empty(self) -> None:
        """Remove the shard's files, unless something is left in it: corrupt messages, say.  Close it then."""
        kept = self._ledger.messages or kept_aside(self.directory)
        if not kept and self.backlog.is_empty() and self.bodies.is_empty():
            shutil.rmtree(self.directory, ignore_errors=True)

    def newest(self) -> int:
        """Return the greatest key in the queue, 0 if it is empty."""
        return max([self.backlog.newest(), *self._ledger.messages])

    def check(self, now: float) -> None:
        """Move messages aside that have lost their content."""
        while self._lost:
            self.backlog.quarantine(self._lost[-1], "the content is missing or damaged", now)
            self._lost.pop()

    # --- what sessions and attempts change

    def write(self, changes: Sequence[Change]) -> None:
        """Write everything, or nothing that counts.  apsw.Error or OSError when it cannot be.

        What concerns messages of the database is written there and may be written again unharmed,
        so it does not matter that the journal may fail after it.
        """
        self._make_room(changes)
        entries: list[Entry] = []
        contents: list[bytes] = []
        files: list[Change] = []
        stored: list[Change] = []
        messages = self._ledger.messages
        for change in changes:
            if change.row is not None:
                self._enter(change, entries, contents, files)
                continue
            if change.key not in messages:
                stored.append(change)
                files += [notice for notice in change.notices if notice.body is None]
                continue
            for notice in change.notices:
                self._enter(notice, entries, contents, files)
            entries.append(_entry_of(change))
        if files:
            self.bodies.take(files)
        if stored:
            self._say_moved()
            self.backlog.write(stored)
        if entries:
            self._append(entries, contents)
            if self.bodies.keys:
                self.bodies.drop([change.done for change in changes if change.done])

    def _enter(self, change: Change, entries: list[Entry], contents: list[bytes], files: list[Change]) -> None:  # fmt: skip  # noqa: E501
        """Make a new message's entry."""
        assert change.row is not None
        key, due, owner, held, envelope = change.row
        if owner:
            self.owner = owner
        if change.body is None:
            files.append(change)
            entries.append((NEW, key, due, bool(owner), held, envelope, -1, 0))
        else:
            contents.append(change.body)
            size = len(change.body)
            entries.append((NEW, key, due, bool(owner), held, envelope, size, change.checksum))

    def _append(self, entries: list[Entry], contents: list[bytes]) -> None:
        if self._moved:
            entries = self._moved + entries
        at = self._journal.append(entries, contents)
        self._ledger.apply(entries, self._journal.file, at)
        self._moved = []

    def _make_room(self, changes: Sequence[Change]) -> None:
        """Move to the database what the journal has no room for, before it is looked where changes belong."""
        full = self._journal.is_full()
        if not full and len(self._ledger.idle) <= IDLE:
            return
        accepting = any(change.row is not None for change in changes)
        try:
            if full:
                self._turn()
            elif accepting:
                self._sink(list(self._ledger.idle))
        except StoreUnavailable:
            if accepting:
                raise
            # What leaves the queue may make the file longer.

    def _turn(self) -> None:
        """Use the journal's other file again; what is alive in it moves to the database."""
        journal = self._journal
        generations = journal.generations()
        old = {journal.other: generations[journal.other]} if journal.other in generations else {}
        self._sink(self._ledger.keys_in(journal.other), old)
        journal.turn()

    # --- from the journal to the database

    def _sink(self, keys: Sequence[int], settled: Mapping[int, int] | None = None) -> None:
        """Move messages to the database.  StoreUnavailable when they cannot be.

        One whose content cannot be read now stays where it is; so ``settled`` may not be said then.
        """
        rows: list[Row] = []
        strict = settled is not None
        parts = self._parts(keys, self._ledger.messages, self._journal.read, rows, strict=strict)
        self.backlog.insert(parts, settled or {})
        moved = [row[0] for row in rows]
        self._ledger.forget(moved)
        self._lost += [row[0] for row in rows if row[5] and row[0] not in self.bodies.keys]
        if settled is None:
            self._moved += [(DONE, key) for key in moved]

    def _parts(self, keys: Iterable[int], messages: Mapping[int, Pending], read: Read, moved: list[Row], *, strict: bool) -> Iterator[Part]:  # fmt: skip  # noqa: E501
        """Yield the rows of messages and of their contents, few at a time, and note them in ``moved``.

        One whose content cannot be read is left out, or with ``strict`` ends it all.
        """
        left = iter(keys)
        while part := list(islice(left, ROWS)):
            rows: list[Row] = []
            bodies: list[Values] = []
            for key in part:
                try:
                    row, body = self._row(key, messages[key], read)
                except OSError as error:
                    if strict:
                        raise StoreUnavailable(f"cannot read {id_of(key)}: {error}") from error
                    continue
                rows.append(row)
                bodies += body
            moved += rows
            yield rows, bodies

    def _row(self, key: int, pending: Pending, read: Read) -> tuple[Row, list[Values]]:
        """Return a message's row, and the row of its content.

        One that lost its content is said to be in a file, which is not there: so any later start finds it.
        """
        owner = self.owner if pending.leased else ""
        content = None
        if pending.size >= 0:
            content = read(pending.file, pending.at, pending.size, pending.checksum)
        row = (key, pending.due, owner, pending.held, pending.envelope, content is None)
        return row, [] if content is None else [(key, content, pending.checksum)]

    def settle_down(self, keys: Iterable[int] | None) -> None:
        """Have all of these messages in the database, and the journal know it."""
        messages = self._ledger.messages
        if messages:
            self._sink(list(messages) if keys is None else [key for key in set(keys) if key in messages])
        self._say_moved()

    def _say_moved(self) -> None:
        """Let the journal know what has moved, before it changes where it is now.

        Otherwise a crash would bring back from the journal what has left the database.
        """
        if self._moved:
            try:
                self._append([], [])
            except OSError as error:
                raise StoreUnavailable(f"queue file write error: {error}") from error

    def content(self, key: int) -> Text | None:
        """Return a content that is in the journal, None if it is not.  Called from any thread.

        StoreUnavailable when it cannot be read.
        """
        pending = self._ledger.messages.get(key)
        if pending is None or pending.size < 0:
            return None
        try:
            data = self._journal.read(pending.file, pending.at, pending.size, pending.checksum)
        except OSError as error:
            raise StoreUnavailable(f"cannot read {id_of(key)}: {error}") from error
        return None if data is None else Text(data)

    def find(self, keys: Iterable[int]) -> list[Message]:
        """Return messages by key, without contents."""
        return find(self.backlog.db, self._ledger.messages, keys)

    def page(self, which: str, after: int, most: int) -> list[Message]:
        """Return the next messages of a kind: see ``Store.page``."""
        return page(self.backlog.db, self._ledger.messages, which, after, most)

    def keys(self, after: int, most: int) -> list[int]:
        """Return the next keys, in order, at most so many."""
        return sorted({*self.backlog.keys(after, most), *(k for k in self._ledger.messages if k > after)})[
            :most
        ]

    def return_leases(self, now: float) -> int:
        """Make what a dead process (or this one, at its end) had leased due now.  Return how many."""
        self.settle_down(None)
        return self.backlog.return_leases(now)

    def give_back(self, keys: Sequence[int], now: float) -> None:
        """End leases: due now; what operators deleted meanwhile leaves."""
        self.settle_down(keys)
        self.backlog.give_back(keys, now)

    def claim(self, now: float, until: float, owner: str, most: int) -> list[Message]:
        """Lease what is due, earliest first.  What cannot be read is moved aside."""
        if self._ledger.earliest <= now:
            self._sink(list(self._ledger.idle))
        self.check(now)
        return self.backlog.claim(now, until, owner, most)

    def operate(self, verb: str, keys: Iterable[int] | None, **values: float) -> list[int]:
        """Do an operator's verb: hold, release, requeue, expire, flush or delete.  Return what changed."""
        keys = None if keys is None else list(keys)
        self.settle_down(keys)
        changed: list[int] = getattr(self.backlog, verb)(keys, **values)
        return changed


def _entry_of(change: Change) -> Entry:
    """Return the entry of what an attempt changed."""
    if change.done:
        return (DONE, change.done)
    if change.retry is not None:
        due, envelope, key = change.retry
        return (RETRY, key, due, envelope)
    assert change.progress is not None
    envelope, key = change.progress
    return (PROGRESS, key, envelope)
