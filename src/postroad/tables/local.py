"""Tables that answer at once, from memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping


class LocalTable:
    """The base of tables that never wait: a subclass says what ``get`` answers.

    ``pattern`` tables are asked with whole keys only, as they were written: pieces of an address
    and folded letters mean nothing to them.
    """

    pattern = False

    def __init__(self, name: str) -> None:
        self.name = name

    def get(self, key: str) -> str | None:
        """Look a key up now; TableUnavailable when that cannot be done."""
        raise NotImplementedError

    async def lookup(self, key: str) -> str | None:
        """Look a key up."""
        return self.get(key)

    def words(self) -> Mapping[str, str] | None:
        """Return the records by folded key, as they are now; None for a table that has no such list.

        TableUnavailable when that cannot be known.
        """
        return None

    def entries(self) -> Iterator[tuple[str, str]]:
        """Yield every key with its value.  ValueError when this sort of table has no such list."""
        raise ValueError(f"table {self.name}: sequence operation is not supported")

    def load(self) -> None:
        """Read what there is to read, so that its problems are known.  TableUnavailable when it fails."""
