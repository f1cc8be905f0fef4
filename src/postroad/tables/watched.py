"""Tables that somebody watches: every look-up in them is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from postroad.base.errors import TableUnavailable
from postroad.model.explain import Lookup
from postroad.model.ports import Table
from postroad.tables.combined import is_pattern
from postroad.tables.local import LocalTable

Watch = Callable[[Lookup], None]


def watched(table: Table, watch: Watch) -> Table:
    """Return a table that answers as the other does, and tells ``watch`` what it was asked."""
    if isinstance(table, (_Watched, _WatchedLocal)):  # behind proxy: there is one that was opened before
        return table
    return _WatchedLocal(table, watch) if isinstance(table, LocalTable) else _Watched(table, watch)


class _WatchedLocal(LocalTable):
    """One that answers at once."""

    def __init__(self, table: LocalTable, watch: Watch) -> None:
        super().__init__(table.name)
        self.pattern = table.pattern
        self._table = table
        self._watch = watch

    def get(self, key: str) -> str | None:
        """Ask the table."""
        try:
            answer = self._table.get(key)
        except TableUnavailable as error:
            self._watch(Lookup(self.name, key, None, str(error)))
            raise
        self._watch(Lookup(self.name, key, answer))
        return answer

    def entries(self) -> Iterator[tuple[str, str]]:
        """Yield those of the table."""
        return self._table.entries()

    def load(self) -> None:
        """Load the table."""
        self._table.load()


class _Watched:
    """One that may have to be waited for."""

    def __init__(self, table: Table, watch: Watch) -> None:
        self.name = table.name
        self.pattern = is_pattern(table)
        self._table = table
        self._watch = watch

    async def lookup(self, key: str) -> str | None:
        """Ask the table."""
        try:
            answer = await self._table.lookup(key)
        except TableUnavailable as error:
            self._watch(Lookup(self.name, key, None, str(error)))
            raise
        self._watch(Lookup(self.name, key, answer))
        return answer
