"""The messages that stay: the database of a shard.  What goes straight through never comes here.

Synchronous, called from the thread that writes the shard.  Each verb is one transaction with one sync.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Mapping, Sequence

import apsw

from postroad.base.ids import id_of
from postroad.model.message import Message
from postroad.store.body import Bodies
from postroad.store.change import Change
from postroad.store.database import first, rows, transaction
from postroad.store.envelope import DamagedEnvelope
from postroad.store.row import listed, message_of
from postroad.store.sql import QUEUE

ROWS = 64  # of one INSERT
Values = tuple[int | float | str | bytes | None, ...]
Part = tuple[Sequence[Values], Sequence[Values]]


class Backlog:
    """The rows of one shard.  ``damaged`` gathers what was moved aside: (queue id, reason)."""

    def __init__(self, db: apsw.Connection, bodies: Bodies) -> None:
        self.db = db
        self._bodies = bodies
        self.damaged: list[tuple[str, str]] = []
        self._buried: set[int] = set()  # deleted while they were leased
        self._again: dict[int, float] = {}  # leased messages that are to be tried again at once

    def in_files(self) -> list[int]:
        """Return the messages whose content is a file."""
        return first(self.db, QUEUE["in_files"])

    def settled(self) -> dict[int, int]:
        """Return up to which generation the batches of each of the journal's files are past."""
        return dict(rows(self.db, QUEUE["settled"]))

    def keys(self, after: int, most: int) -> list[int]:
        """Return the next keys, in order, at most so many."""
        return first(self.db, QUEUE["keys_after"], {"after": after, "most": most})

    def newest(self) -> int:
        """Return the greatest key, 0 if there is none."""
        return int(first(self.db, QUEUE["newest"])[0] or 0)

    def is_empty(self) -> bool:
        """Return whether nothing is left, corrupt messages included."""
        return not first(self.db, QUEUE["left"])[0]

    # --- what sessions and attempts change

    def insert(self, parts: Iterable[Part], settled: Mapping[int, int]) -> None:
        """Take messages from the journal; those that a crash between the two left here stay as they are.

        ``parts`` are rows of messages and of their contents, so many that they may be in memory together.
        ``settled`` says which batches of the journal no longer count from then on.
        """
        with transaction(self.db):
            for messages, bodies in parts:
                self._insert("accept", messages)
                self._insert("store_body", bodies)
            self.db.executemany(QUEUE["settle_file"], settled.items())

    def write(self, changes: Sequence[Change]) -> None:
        """Write what attempts changed in one transaction, or nothing.  apsw.Error when it cannot be."""
        done = [change.done for change in changes if change.done]
        retries = [change.retry for change in changes if change.retry is not None]
        if retries and (self._again or self._buried):
            retries = self._as_told(retries, done)
        progress = [change.progress for change in changes if change.progress is not None]
        notices = [notice for change in changes for notice in change.notices]
        self.db.execute("BEGIN IMMEDIATE")
        try:
            self._insert("accept", [_row_of(notice) for notice in notices])
            self._insert("store_body", [(n.key, n.body, n.checksum) for n in notices if n.body is not None])
            if progress:  # first: the same batch may have the end of the same attempt
                self.db.executemany(QUEUE["progress"], progress)
            if retries:
                self.db.executemany(QUEUE["retry"], retries)
            if self._again and (again := [key for _due, _env, key in retries if key in self._again]):
                self.db.execute(QUEUE["again"], {"keys": listed(again)})
            if done:
                self._remove(done)
            self.db.execute("COMMIT")
        except BaseException:
            if self.db.in_transaction:
                self.db.execute("ROLLBACK")
            raise
        self._forget(done)
        for _due, _envelope, key in retries if self._again else ():
            self._again.pop(key, None)

    def _insert(self, name: str, values: Sequence[Values]) -> None:
        for at in range(0, len(values), ROWS):
            part = values[at : at + ROWS]
            self.db.execute(QUEUE.rows(name, len(part)), [value for row in part for value in row])

    def _as_told(self, retries: list[tuple[float, bytes, int]], done: list[int]) -> list[tuple[float, bytes, int]]:  # fmt: skip  # noqa: E501
        """Obey what operators said while these were being delivered: deleted is done, requeued is due."""
        done += [key for _due, _envelope, key in retries if key in self._buried]
        return [
            (min(due, self._again.get(key, due)), envelope, key)
            for due, envelope, key in retries
            if key not in self._buried
        ]

    def remove(self, keys: list[int]) -> None:
        """Delete messages that have gone elsewhere."""
        with transaction(self.db):
            self._remove(keys)
        self._forget(keys)

    def _remove(self, keys: list[int]) -> None:
        """Delete rows and bodies, inside a transaction."""
        which = {"keys": listed(keys)}
        self.db.execute(QUEUE["done"], which)
        self.db.execute(QUEUE["drop_bodies"], which)

    def _forget(self, keys: Iterable[int]) -> None:
        """Remove the files of messages whose leaving is committed."""
        self._bodies.drop(keys)
        if self._buried:
            self._buried.difference_update(keys)

    # --- claims

    def return_leases(self, now: float) -> int:
        """Make what a dead process (or this one, at its end) had leased due now.  Return how many."""
        with transaction(self.db):
            self.db.execute(QUEUE["return_leases"], {"now": now})
            count = int(self.db.changes())
            buried = first(self.db, QUEUE["buried"])
            self.db.execute(QUEUE["drop_bodies"], {"keys": listed(buried)})
        self._forget(buried)
        return count

    def give_back(self, keys: Iterable[int], now: float) -> None:
        """End leases: due now; what operators deleted meanwhile leaves."""
        with transaction(self.db):
            self.db.execute(QUEUE["give_back"], {"now": now, "keys": listed(keys)})
            buried = first(self.db, QUEUE["buried"])
            self.db.execute(QUEUE["drop_bodies"], {"keys": listed(buried)})
        self._forget(buried)

    def claim(self, now: float, until: float, owner: str, most: int) -> list[Message]:
        """Lease what is due, earliest first.  A row that cannot be read is moved aside."""
        found = []
        with transaction(self.db):
            for row in rows(self.db, QUEUE["due"], {"now": now, "most": most}):
                message = self._readable(row, now)
                if message is not None:
                    message.owner, message.due = owner, until
                    found.append(message)
            if found:
                keys = listed(message.key for message in found)
                self.db.execute(QUEUE["lease"], {"owner": owner, "until": until, "keys": keys})
        return found

    def _readable(self, row: Sequence[object], now: float) -> Message | None:
        try:
            return message_of(row)
        except DamagedEnvelope as error:
            self.quarantine(int(row[0]), f"the envelope cannot be read: {error}", now)  # type: ignore[call-overload]
            return None

    def quarantine(self, key: int, reason: str, now: float) -> None:
        """Move a message to the table ``corrupt``; its file, if it has one, stays for a person to look at."""
        with transaction(self.db):
            self.db.execute(QUEUE["quarantine"], {"key": key, "reason": reason, "now": now})
            self._remove([key])
        if key in self._bodies.keys:
            self._bodies.keys.discard(key)
            path = self._bodies.path(key)
            with contextlib.suppress(OSError):
                os.rename(path, path + ".corrupt")  # noqa: PTH104
        self.damaged.append((id_of(key), reason))

    # --- what operators change; ``keys`` None means all

    def hold(self, keys: Iterable[int] | None) -> list[int]:
        """Put on hold; a message that is being delivered stays held afterwards."""
        return self._change("hold", keys)

    def release(self, keys: Iterable[int] | None) -> list[int]:
        """Release from hold; it is tried when its time has come."""
        return self._change("release", keys)

    def requeue(self, keys: Iterable[int] | None, now: float) -> list[int]:
        """Make due now and release; one that is being delivered is tried again at once if it is deferred."""
        with transaction(self.db):
            changed = rows(self.db, QUEUE["requeue"], {"keys": _listed(keys), "now": now})
        self._again.update((key, now) for key, leased in changed if leased)
        return sorted(key for key, _leased in changed)

    def expire(self, keys: Iterable[int] | None) -> list[int]:
        """Mark as expired by force."""
        return self._change("expire", keys)

    def flush(self, keys: Iterable[int] | None, now: float) -> list[int]:
        """Make deferred messages due now."""
        return self._change("flush", keys, now=now)

    def delete(self, keys: Iterable[int] | None) -> list[int]:
        """Remove at once, or, what is being delivered, when that has ended."""
        which = {"keys": _listed(keys)}
        with transaction(self.db):
            buried = first(self.db, QUEUE["bury"], which)
            gone = first(self.db, QUEUE["delete"], which)
            self.db.execute(QUEUE["drop_bodies"], {"keys": listed(gone)})
        self._buried.update(buried)
        self._forget(gone)
        return sorted(buried + gone)

    def _change(self, name: str, keys: Iterable[int] | None, **values: float) -> list[int]:
        with transaction(self.db):
            changed = first(self.db, QUEUE[name], {"keys": _listed(keys), **values})
        return sorted(changed)


def _row_of(change: Change) -> Values:
    """Return the row of ``message`` that a new message becomes."""
    assert change.row is not None
    return (*change.row, change.body is None)


def _listed(keys: Iterable[int] | None) -> str | None:
    return None if keys is None else listed(keys)
