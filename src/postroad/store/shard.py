"""One shard of the queue: a SQLite database and a directory of large contents.

Everything here is synchronous and is called from one thread at a time: the writer's in the
server, a tool's own when no server runs.  Each verb is one transaction with one sync.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

import apsw

from postroad.base.errors import StoreUnavailable
from postroad.base.ids import id_of
from postroad.model.message import Message
from postroad.store.body import Bodies, whole
from postroad.store.change import Change
from postroad.store.database import connect, first, rows, transaction
from postroad.store.envelope import DamagedEnvelope
from postroad.store.lock import ShardLock
from postroad.store.row import listed, message_of
from postroad.store.sql import QUEUE, migrate

ROWS = 64  # of one INSERT
Values = tuple[int | float | str | bytes, ...]

_ADOPT = 100  # rows taken over in one transaction


class Shard:
    """An open shard.  ``damaged`` gathers what was moved aside: (queue id, reason)."""

    def __init__(self, directory: Path) -> None:
        make_directory(directory)
        self.directory = directory
        self._lock = ShardLock(directory)
        try:
            self.bodies = Bodies(directory / "bodies")
            if os.geteuid() == 0:
                _give_to_owner(directory)
            self._db = connect(directory / "queue.db")
            migrate(self._db)
            wanted = set(first(self._db, QUEUE["keys"]))
        except (apsw.Error, OSError) as error:
            self._lock.close()
            raise StoreUnavailable(f"cannot open the queue in {directory}: {error}") from error
        except StoreUnavailable:
            self._lock.close()
            raise
        self.purged = self.bodies.purge(wanted)
        self.damaged: list[tuple[str, str]] = []
        self._buried: set[int] = set()  # deleted while they were leased
        self._again: dict[int, float] = {}  # leased messages that are to be tried again at once

    def close(self) -> None:
        """Close the database and let the shard go."""
        self._db.close()
        self._lock.close()

    def remove_if_empty(self) -> None:
        """Remove the shard's files, unless something is left in it: corrupt messages, say.  Close it then."""
        left = first(self._db, QUEUE["left"])[0]
        with contextlib.suppress(OSError):
            if not left and not os.listdir(self.bodies.directory):  # noqa: PTH208
                shutil.rmtree(self.directory)

    def return_leases(self, now: float) -> int:
        """Make what a dead process (or this one, at its end) had leased due now.  Return how many."""
        with transaction(self._db):
            self._db.execute(QUEUE["return_leases"], {"now": now})
            count = int(self._db.changes())
            buried = first(self._db, QUEUE["buried"])
            self._db.execute(QUEUE["drop_bodies"], {"keys": listed(buried)})
        self._forget(buried)
        return count

    def check(self, now: float) -> None:
        """Move messages aside that have lost their content."""
        for key in first(self._db, QUEUE["bodyless"]):
            if key not in self.bodies.keys:
                self.quarantine(key, "the content is missing", now)

    def newest(self) -> int:
        """Return the greatest key in the queue, 0 if it is empty."""
        return int(first(self._db, QUEUE["newest"])[0] or 0)

    # --- what sessions and attempts change

    def write(self, changes: Sequence[Change]) -> None:
        """Write everything in one transaction, or nothing.  apsw.Error or OSError when it cannot be."""
        new, bodies, files = _new_messages(changes)
        done = [change.done for change in changes if change.done]
        retries = [change.retry for change in changes if change.retry is not None]
        if retries and (self._again or self._buried):
            retries = self._as_told(retries, done)
        progress = [change.progress for change in changes if change.progress is not None]
        if files:
            self._sync_files(files)
        self._db.execute("BEGIN IMMEDIATE")
        try:
            self._insert("accept", new)
            self._insert("store_body", bodies)
            if progress:  # first: the same batch may have the end of the same attempt
                self._db.executemany(QUEUE["progress"], progress)
            if retries:
                self._db.executemany(QUEUE["retry"], retries)
            if done:
                self._remove(done)
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise
        self._forget(done)
        for _due, _envelope, key in retries if self._again else ():
            self._again.pop(key, None)

    def _sync_files(self, files: list[Change]) -> None:
        for change in files:
            assert change.row is not None
            if change.foreign is not None:
                self._copy(change.row[0], change)
        self.bodies.sync([change.row[0] for change in files if change.row is not None])

    def _copy(self, key: int, change: Change) -> None:
        """Write a content that is not one of our files to one."""
        assert change.foreign is not None
        self.bodies.remove(key)  # a try before this one may have left it
        spool = self.bodies.spool(key)
        try:
            for piece in whole(change.foreign):
                spool.write(piece)
            spool.finish()
        except BaseException:
            spool.abort()
            raise

    def _insert(self, name: str, values: list[Values]) -> None:
        for at in range(0, len(values), ROWS):
            part = values[at : at + ROWS]
            self._db.execute(QUEUE.rows(name, len(part)), [value for row in part for value in row])

    def _as_told(self, retries: list[tuple[float, bytes, int]], done: list[int]) -> list[tuple[float, bytes, int]]:  # fmt: skip  # noqa: E501
        """Obey what operators said while these were being delivered: deleted is done, requeued is due."""
        done += [key for _due, _envelope, key in retries if key in self._buried]
        return [
            (min(due, self._again.get(key, due)), envelope, key)
            for due, envelope, key in retries
            if key not in self._buried
        ]

    def _remove(self, keys: list[int]) -> None:
        """Delete rows and bodies, inside a transaction."""
        which = {"keys": listed(keys)}
        self._db.execute(QUEUE["done"], which)
        self._db.execute(QUEUE["drop_bodies"], which)

    def _forget(self, keys: Iterable[int]) -> None:
        """Remove the files of messages whose leaving is committed."""
        if self.bodies.keys:
            for key in keys:
                if key in self.bodies.keys:
                    self.bodies.remove(key)
        if self._buried:
            self._buried.difference_update(keys)

    # --- claims and contents

    def claim(self, now: float, until: float, owner: str, most: int) -> list[Message]:
        """Lease what is due, earliest first.  A row that cannot be read is moved aside."""
        found = []
        with transaction(self._db):
            for row in rows(self._db, QUEUE["due"], {"now": now, "most": most}):
                message = self._readable(row, now)
                if message is not None:
                    message.owner, message.due = owner, until
                    found.append(message)
            if found:
                keys = listed(message.key for message in found)
                self._db.execute(QUEUE["lease"], {"owner": owner, "until": until, "keys": keys})
        return found

    def _readable(self, row: Sequence[object], now: float) -> Message | None:
        try:
            return message_of(row)
        except DamagedEnvelope as error:
            self.quarantine(int(row[0]), f"the envelope cannot be read: {error}", now)  # type: ignore[call-overload]
            return None

    def quarantine(self, key: int, reason: str, now: float) -> None:
        """Move a message to the table ``corrupt``; its file, if it has one, stays for a person to look at."""
        with transaction(self._db):
            self._db.execute(QUEUE["quarantine"], {"key": key, "reason": reason, "now": now})
            self._remove([key])
        if key in self.bodies.keys:
            self.bodies.keys.discard(key)
            path = self.bodies.path(key)
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
        with transaction(self._db):
            changed = rows(self._db, QUEUE["requeue"], {"keys": _listed(keys), "now": now})
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
        with transaction(self._db):
            buried = first(self._db, QUEUE["bury"], which)
            gone = first(self._db, QUEUE["delete"], which)
            self._db.execute(QUEUE["drop_bodies"], {"keys": listed(gone)})
        self._buried.update(buried)
        self._forget(gone)
        return sorted(buried + gone)

    def _change(self, name: str, keys: Iterable[int] | None, **values: float) -> list[int]:
        with transaction(self._db):
            changed = first(self._db, QUEUE[name], {"keys": _listed(keys), **values})
        return sorted(changed)

    # --- taking over another shard

    def adopt(self, source: Shard) -> int:
        """Move every message of a shard that nobody serves to this one.  Return how many.

        Crash-safe: they are here, synced, before they leave there; what was here already when a
        crash came between is not taken twice.  Nothing may be claimed before this has ended.
        """
        moved, after = 0, -1
        while found := rows(source._db, QUEUE["rows_after"], {"after": after, "most": _ADOPT}):
            keys = [row[0] for row in found]
            files = [key for key in keys if key in source.bodies.keys]
            for key in files:
                self._take_file(source, key)
            if files:
                self.bodies.sync(files)
            with transaction(self._db):
                self._db.executemany(QUEUE["adopt"], [(row[0], row[1], "", *row[2:5]) for row in found])
                self._db.executemany(
                    QUEUE["adopt_body"], [(row[0], row[5]) for row in found if row[5] is not None]
                )
            with transaction(source._db):
                source._remove(keys)
            source._forget(keys)
            moved += len(keys)
            after = keys[-1]
        return moved

    def _take_file(self, source: Shard, key: int) -> None:
        target = self.bodies.path(key)
        with contextlib.suppress(FileExistsError):
            try:
                os.link(source.bodies.path(key), target)
            except FileExistsError:
                raise
            except OSError:  # another file system
                shutil.copyfile(source.bodies.path(key), target)
        self.bodies.keys.add(key)


def make_directory(directory: Path) -> None:
    """Make a shard's directory, and its name durable.  StoreUnavailable when it cannot be."""
    if directory.is_dir():
        return
    try:
        directory.mkdir(mode=0o700, exist_ok=True)
        fd = os.open(directory.parent, os.O_RDONLY)
        os.fsync(fd)
        os.close(fd)
    except OSError as error:
        raise StoreUnavailable(f"cannot make {directory}: {error.strerror}") from error


def _give_to_owner(directory: Path) -> None:
    """Let what root makes in another user's shard be that user's, before SQLite derives its files from it."""
    owner = directory.stat()
    database = directory / "queue.db"
    if not database.exists():
        database.touch(mode=0o600)
    for path in (database, directory / "bodies"):
        os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)


def _new_messages(changes: Sequence[Change]) -> tuple[list[Values], list[Values], list[Change]]:
    """Return the rows of ``message``, those of ``body``, and the changes whose content is a file."""
    new: list[Values] = []
    bodies: list[Values] = []
    files: list[Change] = []
    for change in changes:
        for entry in (change, *change.notices) if change.notices else (change,):
            if entry.row is None:
                continue
            new.append(entry.row)
            if entry.body is not None:
                bodies.append((entry.row[0], entry.body))
            else:
                files.append(entry)
    return new, bodies, files


def _listed(keys: Iterable[int] | None) -> str | None:
    return None if keys is None else listed(keys)
