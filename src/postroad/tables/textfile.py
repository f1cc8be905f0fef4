"""hash, btree, lmdb, cdb, dbm and texthash: the source text beside the name, and its changes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from postroad.tables.context import TableContext
from postroad.tables.lines import read_aliases, read_map
from postroad.tables.local import LocalTable
from postroad.tables.source import Source


class TextFile(LocalTable):
    """A file of ``key value`` lines, or with ``aliases`` of ``name: value`` lines.

    Keys are folded; the caller asks with folded keys.  ``folded`` off keeps their case (postmap -f).
    """

    def __init__(self, name: str, path: str, context: TableContext, *, aliases: bool = False, folded: bool = True) -> None:  # fmt: skip  # noqa: E501
        super().__init__(name)
        read = read_aliases if aliases else read_map
        self._source = Source(path, lambda text: read(path, text, context.warn, folded=folded), context)

    def get(self, key: str) -> str | None:
        """Look a key up."""
        return self._source.get().get(key)

    def words(self) -> Mapping[str, str]:
        """Return the records by key."""
        return self._source.get()

    def entries(self) -> Iterator[tuple[str, str]]:
        """Yield the records in the file's order."""
        return iter(self._source.get().items())

    def load(self) -> None:
        """Read the file."""
        self._source.get()
