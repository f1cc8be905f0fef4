"""Named SQL statements from ``.sql`` files, and numbered migrations."""

from __future__ import annotations

import re
from pathlib import Path

import apsw

from postroad.base.errors import StoreUnavailable

_HERE = Path(__file__).parent
_NAME = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)
_VALUES = re.compile(r"\bVALUES (\([^()]*\))\s*$")


class Statements:
    """The statements of one file, by name."""

    def __init__(self, path: Path) -> None:
        parts = _NAME.split(path.read_text("utf-8"))
        self._texts = {name: text.strip() for name, text in zip(parts[1::2], parts[2::2], strict=True)}
        self._many: dict[tuple[str, int], str] = {}

    def __getitem__(self, name: str) -> str:
        return self._texts[name]

    def rows(self, name: str, count: int) -> str:
        """Return an INSERT for ``count`` rows.

        One statement for many rows lets the interpreter's lock go once, not once a row.
        """
        text = self._many.get((name, count))
        if text is None:
            one = self._texts[name]
            match = _VALUES.search(one)
            if match is None:
                raise ValueError(f"{name} does not end in VALUES (...)")
            text = self._many[name, count] = one + f", {match[1]}" * (count - 1)
        return text


QUEUE = Statements(_HERE / "queue.sql")


def migrations(folder: Path | None = None) -> list[tuple[int, str]]:
    """Return (version, SQL) of every migration, in order."""
    found = sorted((folder or _HERE / "migrations").glob("[0-9]*.sql"))
    return [(int(path.name.partition("_")[0]), path.read_text("utf-8")) for path in found]


def migrate(db: apsw.Connection, steps: list[tuple[int, str]] | None = None) -> int:
    """Bring a database to the newest schema, each step in its own transaction; return the version.

    StoreUnavailable when a newer Postroad wrote it: going back would lose what it knows.
    """
    steps = migrations() if steps is None else steps
    version = int(db.pragma("user_version"))
    newest = steps[-1][0]
    if version > newest:
        raise StoreUnavailable(
            f"the queue was written by a newer version (its schema is {version}, this program knows {newest})"
        )
    for number, text in steps:
        if number > version:
            with db:
                db.execute(text)
                db.pragma("user_version", number)
    return newest
