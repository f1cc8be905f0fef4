"""Connections to a shard's database.  Every one has the same settings: they are not kept in the file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw

from postroad.base.errors import StoreUnavailable

_PAGE = 8192  # bytes; of 4096, 8192 and 16384 the one that costs least with messages of 1 to 10 KiB
_CHECKPOINT = 32 << 20  # bytes of log before it is written back


def connect(path: Path) -> apsw.Connection:
    """Open for writing: what is committed is on the disk."""
    db = apsw.Connection(str(path), statementcachesize=256)
    db.set_busy_timeout(10_000)
    db.pragma("page_size", _PAGE)
    db.pragma("journal_mode", "wal")
    # Without this a commit may be lost with the power, after the client was told 250.
    db.pragma("synchronous", "FULL")
    db.pragma("fullfsync", value=True)
    db.pragma("wal_autocheckpoint", _CHECKPOINT // _PAGE)
    db.pragma("journal_size_limit", 2 * _CHECKPOINT)
    db.pragma("cache_size", -16384)
    return db


def connect_reader(path: Path) -> apsw.Connection:
    """Open for reading beside a writer, in this process or another."""
    db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY, statementcachesize=16)
    db.set_busy_timeout(10_000)
    db.pragma("query_only", value=True)
    return db


@contextmanager
def transaction(db: apsw.Connection) -> Iterator[None]:
    """Commit what is done inside, or undo it all.  StoreUnavailable when the database fails."""
    try:
        with db:
            yield
    except apsw.Error as error:
        raise StoreUnavailable(f"queue file write error: {error}") from error


def rows(db: apsw.Connection, sql: str, values: Mapping[str, Any] | None = None) -> list[Any]:
    """Return every row of a statement's answer."""
    return db.execute(sql, values or {}).fetchall()


def first(db: apsw.Connection, sql: str, values: Mapping[str, Any] | None = None) -> list[Any]:
    """Return the first column of every row."""
    return [row[0] for row in db.execute(sql, values or {})]
