"""What ``postroad check`` says about access tables."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from postroad.base.errors import Problem, Severity, TableUnavailable
from postroad.tables.context import TableContext
from postroad.tables.local import LocalTable
from postroad.tables.registry import open_table

TOLD: Final = "clients that get to it are told 451 4.3.5 Server configuration error"


def table_problems(spec: str, tables: TableContext) -> Iterable[Problem]:
    """Yield what is wrong with one table: its type, its file, its lines.  No ``where``: the list's."""
    warnings: list[str] = []
    context = replace(tables, warn=warnings.append, tables={})
    try:
        table = open_table(spec, context)
        if isinstance(table, LocalTable):
            table.load()
    except ValueError as error:
        yield Problem("", str(error))
    except TableUnavailable as error:
        yield Problem("", f"{error}: {TOLD}", "", Severity.WARNING)
    for text in warnings:
        yield Problem("", text, "", Severity.WARNING)
