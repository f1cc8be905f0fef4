"""What ``postroad check`` says about access tables."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain, islice
from typing import Final

from postroad.base.errors import Problem, Severity, TableUnavailable
from postroad.base.kinds import LIST
from postroad.policy.action import is_list
from postroad.policy.items import Classes, Sort, read_list
from postroad.tables.context import TableContext
from postroad.tables.local import LocalTable
from postroad.tables.registry import open_table

_MOST: Final = 20  # of the values of one table
TOLD: Final = "clients that get to it are told 451 4.3.5 Server configuration error"


def table_problems(spec: str, tables: TableContext, classes: Classes) -> Iterator[Problem]:
    """Yield what is wrong with one table: its type, its file, its lines.  No ``where``: the list's."""
    warnings: list[str] = []
    context = replace(tables, warn=warnings.append, tables={})
    try:
        table = open_table(spec, context)
        if isinstance(table, LocalTable):
            table.load()
    except ValueError as error:
        yield Problem("", str(error))
        return
    except TableUnavailable as error:
        yield Problem("", f"{error}: {TOLD}", "", Severity.WARNING)
        return
    for text in warnings:
        yield Problem("", text, "", Severity.WARNING)
    try:
        entries = list(table.entries()) if isinstance(table, LocalTable) else []
    except ValueError:  # patterns make their values of the keys
        return
    found = (_value_problems(f"table {spec}: {key}: {value}", value, classes) for key, value in entries)
    yield from islice(chain.from_iterable(found), _MOST)


def _value_problems(what: str, value: str, classes: Classes) -> Iterator[Problem]:
    """Yield what is wrong with a value that is neither an action nor a reply: a list of restrictions."""
    if not is_list(value):
        return
    if ":" in value:
        hint = "define a restriction class and specify its name instead"
        yield Problem("", f"{what}: no look-up tables inside access tables: {TOLD}", hint, Severity.WARNING)
        return
    try:
        items = list(read_list(LIST.parse(value), classes))
    except ValueError as error:
        yield Problem("", f"{what}: {error}: {TOLD}", "", Severity.WARNING)
        return
    for item in items:
        if item.sort is Sort.UNKNOWN:
            text = f'unknown action or smtpd restriction: "{item.name}"'
            yield Problem("", f"{what}: {text}: {TOLD}", "", Severity.WARNING)
            return
