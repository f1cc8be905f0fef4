"""Which clients have passed postscreen(8)'s tests, and until when each of that counts.

All workers share it.  What cannot be looked up is not known: the client is tested once more.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import apsw

from postroad.store.sidefile import SideFile

_COLUMNS: Final = ("pregreet", "dnsbl", "pipelining", "non_smtp", "bare_newline")
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS client (
    address TEXT PRIMARY KEY, pregreet INTEGER NOT NULL, dnsbl INTEGER NOT NULL, pipelining INTEGER NOT NULL,
    non_smtp INTEGER NOT NULL, bare_newline INTEGER NOT NULL, last INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS client_by_time ON client (last);
CREATE TABLE IF NOT EXISTS cleaned (at INTEGER NOT NULL);
"""
#: A test that was passed in another session at the same time stays passed.
_NOTE: Final = """
INSERT INTO client VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (address) DO UPDATE SET
    pregreet = max(pregreet, excluded.pregreet), dnsbl = max(dnsbl, excluded.dnsbl),
    pipelining = max(pipelining, excluded.pipelining), non_smtp = max(non_smtp, excluded.non_smtp),
    bare_newline = max(bare_newline, excluded.bare_newline), last = excluded.last
"""
#: Addresses; beyond, those that were not seen for longest go.  Any stranger who can wait is in it.
LIMIT: Final = 1_000_000
_FORGET_OLDEST: Final = """
DELETE FROM client WHERE address IN (SELECT address FROM client ORDER BY last LIMIT ?)
"""
Times = tuple[int, int, int, int, int]


class Cleaning(NamedTuple):
    """When to forget: every so many seconds (0: never) whoever has a test that ended that long ago.

    ``tests`` says of each of the five whether it is in use.
    """

    interval: int
    retention: int
    tests: Sequence[bool]


class Cleaned(NamedTuple):
    """What a cleaning did."""

    retained: int
    dropped: int


class ScreenCache:
    """The memory of all workers, in one file; ``path`` None keeps it in this process."""

    def __init__(self, path: Path | None) -> None:
        self._file = SideFile(path or Path(":memory:"), _SCHEMA)

    async def find(self, address: str, cleaning: Cleaning, now: int) -> tuple[Times | None, Cleaned | None]:
        """Return what is known of a client, and of a cleaning if it was time for one.  StoreUnavailable."""
        return await self._file.do(lambda db: (_find(db, address), _clean_in_time(db, cleaning, now)))

    async def note(self, address: str, times: Times, now: int) -> None:
        """Keep until when a client has passed each test.  StoreUnavailable."""
        await self._file.do(lambda db: db.execute(_NOTE, (address, *times, now)) and None)

    def close(self) -> None:
        """Let the file go."""
        self._file.close()


_open: dict[Path, ScreenCache] = {}


def open_screen_cache(path: Path) -> ScreenCache:
    """Return the process's memory at ``path``; it outlives the settings that ask for it."""
    if path not in _open:
        _open[path] = ScreenCache(path)
    return _open[path]


# --- in the file's thread


def _find(db: apsw.Connection, address: str) -> Times | None:
    query = f"SELECT {', '.join(_COLUMNS)} FROM client WHERE address = ?"  # noqa: S608 - names of ours
    found = db.execute(query, (address,)).fetchone()
    if found is None:
        return None
    one, two, three, four, five = map(int, found)
    return one, two, three, four, five


def _clean_in_time(db: apsw.Connection, cleaning: Cleaning, now: int) -> Cleaned | None:
    """Forget who is too old, and the oldest of too many."""
    found = db.execute("SELECT at FROM cleaned").fetchone()
    if not cleaning.interval or (found is not None and 0 <= now - int(found[0]) < cleaning.interval):
        return None
    before = db.total_changes()
    used = [name for name, inside in zip(_COLUMNS, cleaning.tests, strict=True) if inside]
    ended = " OR ".join(f"{name} < :then" for name in used)
    if ended:
        db.execute(f"DELETE FROM client WHERE {ended}", {"then": now - cleaning.retention})  # noqa: S608 - as above
    count = int(db.execute("SELECT count(*) FROM client").get)
    if count > LIMIT:
        db.execute(_FORGET_OLDEST, (count - LIMIT,))
    dropped = db.total_changes() - before
    db.execute("DELETE FROM cleaned")
    db.execute("INSERT INTO cleaned VALUES (?)", (now,))
    return Cleaned(min(count, LIMIT), dropped)
