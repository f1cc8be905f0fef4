"""``fail:name``: the table that can never be asked, for trying out what happens then."""

from __future__ import annotations

from postroad.base.errors import TableUnavailable
from postroad.tables.local import LocalTable


class Fail(LocalTable):
    """Raises TableUnavailable for every key."""

    def get(self, key: str) -> str | None:
        """Fail."""
        raise TableUnavailable(f"{self.name} lookup error for {key!r}")
