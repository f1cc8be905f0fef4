"""``inline:{ key=value, { key = text with spaces } }``: a table written in main.cf itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from postroad.base.kinds import split_list
from postroad.mail.address import fold
from postroad.tables.braces import inside
from postroad.tables.local import LocalTable


class Inline(LocalTable):
    """The pairs between the braces; of equal keys the last one counts, as in Postfix."""

    def __init__(self, name: str, argument: str) -> None:
        super().__init__(name)
        need = f'"inline:{argument}"; need "inline:{{name=value...}}"'
        try:
            members = split_list(inside(argument))
        except ValueError:
            raise ValueError(f"bad syntax: {need}") from None
        if not members:
            raise ValueError(f"bad syntax: {need}")
        self._pairs: dict[str, str] = {}
        for member in members:
            pair = inside(member) if member.startswith("{") else member
            key, equals, value = pair.partition("=")
            if not equals:
                raise ValueError(f"missing '=' after attribute name: {need}")
            if not key.strip():
                raise ValueError(f"missing attribute name: {need}")
            self._pairs[fold(key.strip())] = value.strip()

    def get(self, key: str) -> str | None:
        """Look a key up."""
        return self._pairs.get(key)

    def words(self) -> Mapping[str, str]:
        """Return the pairs by key."""
        return self._pairs

    def entries(self) -> Iterator[tuple[str, str]]:
        """Yield the pairs in their order."""
        return iter(self._pairs.items())
