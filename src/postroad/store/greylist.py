"""What greylisting remembers: when a triple was first seen, and which came again.

A triple is a client's network, a sender and a recipient; what is kept of it is a digest.
"""

from __future__ import annotations

from hashlib import blake2b
from pathlib import Path
from typing import Final, NamedTuple

import apsw

from postroad.store.sidefile import SideFile, read

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS triple (
    digest BLOB PRIMARY KEY, first INTEGER NOT NULL, last INTEGER NOT NULL, passed INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS triple_by_time ON triple (passed, last);
CREATE TABLE IF NOT EXISTS network (
    name TEXT PRIMARY KEY, passes INTEGER NOT NULL, last INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS network_by_time ON network (last);
CREATE TABLE IF NOT EXISTS cleaned (at INTEGER NOT NULL);
"""
_FORGET_TRIPLES: Final = """
DELETE FROM triple WHERE digest IN (SELECT digest FROM triple WHERE passed = ? AND last < ? LIMIT ?)
"""
_FORGET_NETWORKS: Final = """
DELETE FROM network WHERE name IN (SELECT name FROM network WHERE last < ? LIMIT ?)
"""
#: Those who did not come again first.
_FORGET_OLDEST: Final = """
DELETE FROM triple WHERE digest IN (SELECT digest FROM triple ORDER BY passed, last LIMIT ?)
"""
#: Seconds between two cleanings, whichever worker does it.
_CLEAN_EVERY: Final = 300
#: Rows that one cleaning removes, at most, of each sort: nobody waits long for it.
_CLEAN_MOST: Final = 20_000


class Terms(NamedTuple):
    """The rules, times in seconds: see the parameters greylist_...  0 for ``auto_allow`` is never."""

    delay: int
    window: int
    expire: int
    auto_allow: int
    limit: int


class Triple(NamedTuple):
    """Who sends whom: the client's network, the addresses as they are compared."""

    network: str
    sender: str
    recipient: str

    def digest(self) -> bytes:
        """Return what the triple is kept as."""
        text = "\0".join(self).encode("utf-8", "surrogateescape")
        return blake2b(text, digest_size=16).digest()


class Greylist:
    """The memory of all workers, in one file."""

    def __init__(self, path: Path) -> None:
        self._file = SideFile(path, _SCHEMA)

    async def ask(self, triple: Triple, terms: Terms, now: float) -> int:
        """Note an attempt; return how many seconds it is too early, 0 when it may pass.

        StoreUnavailable when the file fails: that is neither.
        """
        digest, moment = triple.digest(), int(now)
        return await self._file.do(lambda db: _attempt(db, triple.network, digest, terms, moment))

    def close(self) -> None:
        """Let the file go."""
        self._file.close()


_open: dict[Path, Greylist] = {}


def open_greylist(path: Path) -> Greylist:
    """Return the process's memory at ``path``; it outlives the settings that ask for it."""
    if path not in _open:
        _open[path] = Greylist(path)
    return _open[path]


def foresee(path: Path, triple: Triple, terms: Terms, now: float) -> int:
    """Return what ``ask`` would, and note nothing.  It waits for the disk; StoreUnavailable."""
    found = read(path, lambda db: _seconds(db, triple, terms, int(now)))
    return terms.delay if found is None else found


def _seconds(db: apsw.Connection, triple: Triple, terms: Terms, now: int) -> int:
    network = db.execute("SELECT passes, last FROM network WHERE name = ?", (triple.network,)).fetchone()
    if terms.auto_allow and network is not None:
        passes, last = map(int, network)
        if now - last <= terms.expire and passes >= terms.auto_allow:
            return 0
    query = "SELECT first, last, passed FROM triple WHERE digest = ?"
    found = db.execute(query, (triple.digest(),)).fetchone()
    if found is None:
        return terms.delay
    first, last, passed = map(int, found)
    if passed:
        return 0 if now - last <= terms.expire else terms.delay
    waited = now - first
    if 0 <= waited < terms.delay:
        return terms.delay - waited
    return 0 if terms.delay <= waited <= terms.window else terms.delay


# --- in the file's thread


def _attempt(db: apsw.Connection, network: str, digest: bytes, terms: Terms, now: int) -> int:
    _clean_in_time(db, terms, now)
    if terms.auto_allow and _is_allowed(db, network, terms, now):
        return 0
    found = db.execute("SELECT first, last, passed FROM triple WHERE digest = ?", (digest,)).fetchone()
    if found is not None:
        first, last, passed = map(int, found)
        if passed and now - last <= terms.expire:
            db.execute("UPDATE triple SET last = ? WHERE digest = ?", (now, digest))
            return 0
        waited = now - first  # less than nothing where a clock went back: it begins anew
        if not passed and 0 <= waited < terms.delay:
            return terms.delay - waited
        if not passed and terms.delay <= waited <= terms.window:
            db.execute("UPDATE triple SET last = ?, passed = 1 WHERE digest = ?", (now, digest))
            db.execute(
                "INSERT INTO network VALUES (?, 1, ?) ON CONFLICT (name) DO UPDATE "
                "SET passes = passes + 1, last = excluded.last",
                (network, now),
            )
            return 0
    db.execute("INSERT OR REPLACE INTO triple VALUES (?, ?, ?, 0)", (digest, now, now))
    return terms.delay


def _is_allowed(db: apsw.Connection, network: str, terms: Terms, now: int) -> bool:
    found = db.execute("SELECT passes, last FROM network WHERE name = ?", (network,)).fetchone()
    if found is None:
        return False
    passes, last = found
    if now - last > terms.expire:
        db.execute("DELETE FROM network WHERE name = ?", (network,))
        return False
    if passes < terms.auto_allow:
        return False
    if now - last > _CLEAN_EVERY:  # not a row written for every message of those who write much
        db.execute("UPDATE network SET last = ? WHERE name = ?", (now, network))
    return True


def _clean_in_time(db: apsw.Connection, terms: Terms, now: int) -> None:
    """Forget what is too old, and the oldest of what is too many, every now and then."""
    found = db.execute("SELECT at FROM cleaned").fetchone()
    if found is not None and 0 <= now - found[0] < _CLEAN_EVERY:
        return
    before = db.total_changes()
    db.execute(_FORGET_TRIPLES, (0, now - terms.window, _CLEAN_MOST))
    db.execute(_FORGET_TRIPLES, (1, now - terms.expire, _CLEAN_MOST))
    db.execute(_FORGET_NETWORKS, (now - terms.expire, _CLEAN_MOST))
    count = int(db.execute("SELECT count(*) FROM triple").get)
    if count > terms.limit:
        db.execute(_FORGET_OLDEST, (min(count - terms.limit, _CLEAN_MOST),))
    # Where one cleaning is not enough, the next is soon.
    pause = 0 if db.total_changes() - before < _CLEAN_MOST else _CLEAN_EVERY - 1
    db.execute("DELETE FROM cleaned")
    db.execute("INSERT INTO cleaned VALUES (?)", (now - pause,))
