"""A small database beside the queue, for what may be forgotten: greylisting, verified addresses.

Every worker opens the same file (SQLite, WAL) in a thread of its own: the loop never waits for a disk or
for another worker.  What has gathered while the thread was busy is one transaction.  Nothing is synced
for a reply; after a loss of power the file is whole, and the last moments may be missing.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Final, TypeVar

import apsw

from postroad.base.errors import StoreUnavailable

T = TypeVar("T")

#: Pieces of work in one transaction, so that other workers get their turn.
_BATCH: Final = 500
#: Milliseconds that another worker may keep the file.
_PATIENCE: Final = 5000
#: Seconds between two tries where SQLite itself does not wait.
_PAUSE: Final = 0.01

_Work = Callable[[apsw.Connection], Any]
_Item = tuple[_Work, "asyncio.Future[Any]", asyncio.AbstractEventLoop]


class SideFile:
    """One file.  ``schema`` is SQL that makes what is not there yet."""

    def __init__(self, path: Path, schema: str) -> None:
        self.path = path
        self._schema = schema
        self._queue: SimpleQueue[_Item | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._db: apsw.Connection | None = None

    async def do(self, work: Callable[[apsw.Connection], T]) -> T:
        """Run ``work`` in the thread, within a transaction; StoreUnavailable when the file fails."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=self.path.stem, daemon=True)
            self._thread.start()
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._queue.put((work, future, loop))
        return await future

    def close(self) -> None:
        """End the thread after what is waiting; the next ``do`` begins anew."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join()
            self._thread = None

    # --- in the thread

    def _run(self) -> None:
        going = True
        while going:
            batch: list[_Item] = []
            item = self._queue.get()
            while True:
                if item is None:
                    going = False
                    break
                batch.append(item)
                if len(batch) >= _BATCH or self._queue.empty():
                    break
                item = self._queue.get()
            if batch:
                self._answer(batch)
        self._drop()

    def _answer(self, batch: list[_Item]) -> None:
        try:
            db = self._begin()
            try:
                results = [work(db) for work, _, _ in batch]
                db.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(apsw.Error):
                    db.execute("ROLLBACK")
                raise
        except Exception as error:  # noqa: BLE001 - whatever it was, nobody may wait for ever
            self._drop()
            _tell(batch, None, StoreUnavailable(f"{self.path}: {error}"))
        else:
            _tell(batch, results, None)

    def _begin(self) -> apsw.Connection:
        """Begin a transaction, with as much patience as is due.

        SQLite does not wait by itself where another turns the file to WAL, or is the last to let it go.
        """
        until = time.monotonic() + _PATIENCE / 1000
        while True:
            try:
                db = self._db or self._open()
                db.execute("BEGIN IMMEDIATE")
            except apsw.BusyError:
                self._drop()
                if time.monotonic() >= until:
                    raise
                time.sleep(_PAUSE)
            else:
                return db

    def _open(self) -> apsw.Connection:
        # SQLite gives its other files the mode of this one.  (The umask is the process's: not for threads.)
        if str(self.path) != ":memory:":
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        db = apsw.Connection(str(self.path), statementcachesize=64)
        self._db = db
        db.set_busy_timeout(_PATIENCE)
        db.pragma("journal_mode", "wal")
        db.pragma("synchronous", "NORMAL")  # syncs at checkpoints alone, which keeps the file whole
        db.execute(self._schema)
        return db

    def _drop(self) -> None:
        db, self._db = self._db, None
        if db is not None:
            with contextlib.suppress(apsw.Error):
                db.close()


def read(path: Path, work: Callable[[apsw.Connection], T]) -> T | None:
    """Run ``work`` on a file that others write, which it cannot change; None when there is no file.

    For commands: it waits for the disk.  StoreUnavailable when the file cannot be read.
    """
    if not path.exists():
        return None
    # Whoever looks must leave no file of his own beside it; where nobody writes there is nothing to heed.
    written = Path(f"{path}-wal").exists()
    uri = f"{path.absolute().as_uri()}?mode=ro{'' if written else '&immutable=1'}"
    try:
        db = apsw.Connection(uri, flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI)
        try:
            db.set_busy_timeout(_PATIENCE)
            return work(db)
        finally:
            db.close()
    except apsw.Error as error:
        raise StoreUnavailable(f"{path}: {error}") from error


def _tell(batch: list[_Item], results: list[Any] | None, error: Exception | None) -> None:
    """Give the answers, in one call for each loop (there is one, but in tests)."""
    loops: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Any], Any]]] = {}
    for at, (_, future, loop) in enumerate(batch):
        loops.setdefault(loop, []).append((future, None if results is None else results[at]))
    for loop, answers in loops.items():
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(_settle, answers, error)


def _settle(answers: list[tuple[asyncio.Future[Any], Any]], error: Exception | None) -> None:
    for future, result in answers:
        if future.done():
            continue
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)
