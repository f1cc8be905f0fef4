"""What probes have found out about addresses, and when they have to be sent again (verify(8)).

All workers share it.  Who is told to probe by ``look`` is the only one, unless no result comes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, NamedTuple

import apsw

from postroad.model.verification import IN_PROGRESS, Deliverability, Verification
from postroad.store.sidefile import SideFile, read

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS address (
    address TEXT PRIMARY KEY, state TEXT NOT NULL, probed INTEGER NOT NULL, updated INTEGER NOT NULL,
    text TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS address_by_time ON address (max(updated, probed));
CREATE TABLE IF NOT EXISTS cleaned (what TEXT PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID;
"""
#: Seconds after which a probe without a result is sent again: Postfix's.
PROBE_TTL: Final = 1000
#: Addresses; beyond, the oldest go.  A stranger chooses what is asked.
LIMIT: Final = 500_000
_COUNT_EVERY: Final = 300  # seconds
_FORGET_OLDEST: Final = """
DELETE FROM address WHERE address IN (
    SELECT address FROM address ORDER BY max(updated, probed) DESC LIMIT -1 OFFSET ?
)
"""
_TEXT: Final = 1000  # characters of a reason


class Lifetimes(NamedTuple):
    """Seconds: see the parameters address_verify_...; 0 for ``cleanup`` is never."""

    good_expire: int
    good_refresh: int
    bad_expire: int
    bad_refresh: int
    cleanup: int
    keep_bad: bool


class VerifyCache:
    """The memory, in a file; without one (``path`` None) in this process."""

    def __init__(self, path: Path | None) -> None:
        self._file = SideFile(path or Path(":memory:"), _SCHEMA)

    async def look(self, address: str, lives: Lifetimes, now: float, *, may_probe: bool) -> tuple[Verification | None, bool]:  # fmt: skip  # noqa: E501
        """Return what is known, and whether the caller has to probe now.

        None for nothing known and no probe under way (only without ``may_probe``).  StoreUnavailable.
        """
        return await self._file.do(lambda db: _look(db, _key(address), lives, int(now), may_probe))

    async def note(self, address: str, found: Verification, lives: Lifetimes, now: float) -> None:
        """Keep a result.  A failure does not make a good address bad before its time."""
        await self._file.do(lambda db: _note(db, _key(address), found, lives, int(now)))

    def close(self) -> None:
        """Let the file go."""
        self._file.close()


_open: dict[Path, VerifyCache] = {}


def open_verify_cache(path: Path) -> VerifyCache:
    """Return the process's memory at ``path``; it outlives the settings that ask for it."""
    if path not in _open:
        _open[path] = VerifyCache(path)
    return _open[path]


def known(path: Path, address: str, lives: Lifetimes, now: float) -> Verification | None:
    """Return what is known of an address, and note nothing; None for nothing.  It waits for the disk."""
    entry = read(path, lambda db: _find(db, _key(address)))
    if entry is None or entry.expired(lives, int(now)):
        return None
    return Verification(entry.state, entry.text)


# --- in the file's thread


def _key(address: str) -> str:
    """Return an address as it is compared: its domain has no case; lone surrogates are not storable."""
    local, at, domain = address.rpartition("@")
    return (
        (local + at + domain.lower()).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    )


class _Entry(NamedTuple):
    state: Deliverability
    probed: int
    updated: int
    text: str

    def expired(self, lives: Lifetimes, now: int) -> bool:
        if self.state is Deliverability.PENDING:
            return False
        life = lives.good_expire if self.state is Deliverability.GOOD else lives.bad_expire
        return self.updated + life < now

    def stale(self, lives: Lifetimes, now: int) -> bool:
        if now - self.probed <= PROBE_TTL:
            return False  # a probe is under way
        life = lives.good_refresh if self.state is Deliverability.GOOD else lives.bad_refresh
        return self.updated + life < now


def _find(db: apsw.Connection, key: str) -> _Entry | None:
    query = "SELECT state, probed, updated, text FROM address WHERE address = ?"
    found = db.execute(query, (key,)).fetchone()
    if found is None:
        return None
    state, probed, updated, text = found
    return _Entry(Deliverability(state), int(probed), int(updated), str(text))


def _put(db: apsw.Connection, key: str, entry: _Entry) -> None:
    values = (key, entry.state.value, entry.probed, entry.updated, entry.text)
    db.execute("INSERT OR REPLACE INTO address VALUES (?, ?, ?, ?, ?)", values)


def _look(
    db: apsw.Connection, key: str, lives: Lifetimes, now: int, may_probe: bool
) -> tuple[Verification | None, bool]:
    _clean_in_time(db, lives, now)
    entry = _find(db, key)
    if entry is None or entry.expired(lives, now):
        if not may_probe:
            return None, False
        entry = _Entry(IN_PROGRESS.state, 0, 0, IN_PROGRESS.text)
    probe = may_probe and entry.stale(lives, now)
    if probe:
        _put(db, key, entry._replace(probed=now))
    return Verification(entry.state, entry.text), probe


def _note(db: apsw.Connection, key: str, found: Verification, lives: Lifetimes, now: int) -> None:
    good = found.state is Deliverability.GOOD
    known = _find(db, key)
    if not good and known is not None:
        if known.state is Deliverability.GOOD and not known.expired(lives, now):
            return
        if not lives.keep_bad:
            db.execute("DELETE FROM address WHERE address = ?", (key,))
            return
    if good or lives.keep_bad:
        _put(db, key, _Entry(found.state, 0, now, found.text[:_TEXT]))


def _clean_in_time(db: apsw.Connection, lives: Lifetimes, now: int) -> None:
    if lives.cleanup and _is_time(db, "expired", lives.cleanup, now):
        good, bad = now - lives.good_expire, now - lives.bad_expire
        db.execute("DELETE FROM address WHERE state = 'deliverable' AND updated < ?", (good,))
        db.execute("DELETE FROM address WHERE state <> 'deliverable' AND max(updated, probed) < ?", (bad,))
    if _is_time(db, "counted", _COUNT_EVERY, now):
        db.execute(_FORGET_OLDEST, (LIMIT,))


def _is_time(db: apsw.Connection, what: str, pause: int, now: int) -> bool:
    """Return whether something is to be done again, and note that it is."""
    found = db.execute("SELECT at FROM cleaned WHERE what = ?", (what,)).fetchone()
    if found is not None and 0 <= now - int(found[0]) < pause:
        return False
    db.execute("INSERT OR REPLACE INTO cleaned VALUES (?, ?)", (what, now))
    return True
