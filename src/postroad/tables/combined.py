"""Tables made of tables: ``unionmap``, ``pipemap`` and ``randmap``."""

from __future__ import annotations

import random
from collections.abc import Sequence

from postroad.base.kinds import split_list
from postroad.mail.address import fold
from postroad.model.ports import Table
from postroad.tables.braces import inside
from postroad.tables.local import LocalTable


def is_pattern(table: Table) -> bool:
    """Return whether a table wants whole keys, as they were written."""
    return bool(getattr(table, "pattern", False))


def key_for(table: Table, key: str) -> str:
    """Return the key in the form that a table is asked with."""
    return key if is_pattern(table) else fold(key)


def members_of(kind: str, argument: str, form: str = "type:name...") -> list[str]:
    """Split ``{ member, member }``; ValueError, in Postfix's words, when it is not that."""
    try:
        members = [inside(m) if m.startswith("{") else m for m in split_list(inside(argument))]
    except ValueError:
        members = []
    if not members:
        raise ValueError(f'bad syntax: "{kind}:{argument}"; need "{kind}:{{{form}}}"')
    return members


class Union:
    """The answers of all tables that know the key, with commas between."""

    def __init__(self, name: str, tables: Sequence[Table]) -> None:
        self.name = name
        self.pattern = any(is_pattern(table) for table in tables)
        self._tables = tables

    async def lookup(self, key: str) -> str | None:
        """Ask every table."""
        found = [await table.lookup(key_for(table, key)) for table in self._tables]
        return ",".join(text for text in found if text is not None) or None


class Pipe:
    """The answer of each table is the key of the next; unknown to one is unknown."""

    def __init__(self, name: str, tables: Sequence[Table]) -> None:
        self.name = name
        self.pattern = any(is_pattern(table) for table in tables)
        self._tables = tables

    async def lookup(self, key: str) -> str | None:
        """Ask the tables one after the other."""
        value: str | None = key
        for table in self._tables:
            if value is None:
                break
            value = await table.lookup(key_for(table, value))
        return value


class Random(LocalTable):
    """One of several values, whatever the key."""

    def __init__(self, name: str, argument: str, source: random.Random) -> None:
        super().__init__(name)
        self._values = members_of("randmap", argument, "value...")
        self._source = source

    def get(self, key: str) -> str | None:  # noqa: ARG002 - whatever the key
        """Return one at random."""
        return self._source.choice(self._values)
