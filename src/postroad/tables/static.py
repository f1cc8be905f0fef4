"""``static:value``, ``static:{ value with spaces }``: the same answer for every key."""

from __future__ import annotations

from postroad.tables.braces import inside
from postroad.tables.local import LocalTable


class Static(LocalTable):
    """Always answers its argument."""

    def __init__(self, name: str, argument: str) -> None:
        super().__init__(name)
        self._value = inside(argument) if argument.startswith("{") else argument
        if not self._value:
            raise ValueError(f"{name}: the value is empty")

    def get(self, key: str) -> str | None:  # noqa: ARG002 - whatever the key
        """Return the value."""
        return self._value
