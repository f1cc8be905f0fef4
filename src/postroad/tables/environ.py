"""``environ:``: the process's environment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from postroad.tables.local import LocalTable


class Environ(LocalTable):
    """The key is a variable's name, in the letters' case that the caller asks with."""

    def __init__(self, name: str, environ: Mapping[str, str]) -> None:
        super().__init__(name)
        self._environ = environ

    def get(self, key: str) -> str | None:
        """Return the variable's value."""
        return self._environ.get(key)

    def entries(self) -> Iterator[tuple[str, str]]:
        """Yield every variable."""
        return iter(self._environ.items())
