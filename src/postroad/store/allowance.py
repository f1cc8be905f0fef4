"""What users have used of their allowances: so much of a thing in so many seconds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import apsw

from postroad.store.sidefile import SideFile

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS used (
    user TEXT NOT NULL, thing TEXT NOT NULL, period INTEGER NOT NULL,
    began INTEGER NOT NULL, number INTEGER NOT NULL,
    PRIMARY KEY (user, thing, period)
) WITHOUT ROWID;
"""
#: One use in so many looks whether rows are too old.
_CLEAN_EVERY: Final = 1000


class Limit(NamedTuple):
    """At most ``number`` in ``period`` seconds."""

    number: int
    period: int


class Allowances:
    """The memory of all workers, in one file.

    A period begins with its first use.  So no period has more than its number, and of two that follow
    each other any ``period`` seconds have at most twice as many.
    """

    def __init__(self, path: Path) -> None:
        self._file = SideFile(path, _SCHEMA)
        self._uses = 0

    async def use(self, user: str, thing: str, limits: Sequence[Limit], now: float) -> Limit | None:
        """Use one, if every limit lets it be; else return the limit that does not, and nothing is used.

        StoreUnavailable when the file fails: that is neither.
        """
        moment = int(now)
        self._uses += 1
        clean = self._uses % _CLEAN_EVERY == 0
        return await self._file.do(lambda db: _use(db, user, thing, limits, moment, clean=clean))

    def close(self) -> None:
        """Let the file go."""
        self._file.close()


_open: dict[Path, Allowances] = {}


def open_allowances(path: Path) -> Allowances:
    """Return the process's memory at ``path``; it outlives the settings that ask for it."""
    if path not in _open:
        _open[path] = Allowances(path)
    return _open[path]


# --- in the file's thread


def _use(db: apsw.Connection, user: str, thing: str, limits: Sequence[Limit], now: int, *, clean: bool) -> Limit | None:  # fmt: skip  # noqa: E501
    if clean:
        db.execute("DELETE FROM used WHERE began + period < ?", (now,))
    rows = []
    for limit in limits:
        query = "SELECT began, number FROM used WHERE user = ? AND thing = ? AND period = ?"
        found = db.execute(query, (user, thing, limit.period)).fetchone()
        began, number = (int(found[0]), int(found[1])) if found is not None else (now, 0)
        if not 0 <= now - began < limit.period:  # it is over; or a clock went back
            began, number = now, 0
        if number >= limit.number:
            return limit
        rows.append((user, thing, limit.period, began, number + 1))
    for row in rows:
        db.execute("INSERT OR REPLACE INTO used VALUES (?, ?, ?, ?, ?)", row)
    return None
