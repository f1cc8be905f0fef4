"""Opens tables by their ``type:name``."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import entry_points

from postroad.base.errors import TableUnavailable
from postroad.model.ports import Table
from postroad.tables.cidr import Cidr
from postroad.tables.combined import Pipe, Random, Union, members_of
from postroad.tables.context import TableContext
from postroad.tables.environ import Environ
from postroad.tables.fail import Fail
from postroad.tables.inline import Inline
from postroad.tables.local import LocalTable
from postroad.tables.patterns import PCRE, REGEXP, Patterns
from postroad.tables.static import Static
from postroad.tables.textfile import TextFile
from postroad.tables.unix import Unix
from postroad.tables.watched import watched

#: Makes a table from the text behind the colon.  ValueError for a text that it cannot use.
Opener = Callable[[str, TableContext], Table]

#: Other packages offer table types under this entry point: name = type, value = an Opener.
ENTRY_POINT = "postroad.table"

#: The types whose source text is read.
TEXT_TYPES = frozenset({"hash", "btree", "lmdb", "cdb", "dbm", "sdbm", "texthash"})

_PLANNED = frozenset({"pgsql", "mysql", "ldap", "memcache", "sqlite", "socketmap", "tcp", "mongodb", "nis"})


def _combined(kind: str, make: Callable[[str, list[Table]], Table]) -> Opener:
    def open_members(argument: str, context: TableContext) -> Table:
        members = [open_table(spec, context) for spec in members_of(kind, argument)]
        return make(f"{kind}:{argument}", members)

    return open_members


_BUILT_IN: dict[str, Opener] = {
    "inline": lambda argument, _: Inline(f"inline:{argument}", argument),
    "static": lambda argument, _: Static(f"static:{argument}", argument),
    "regexp": lambda argument, context: Patterns(f"regexp:{argument}", REGEXP, argument, context),
    "pcre": lambda argument, context: Patterns(f"pcre:{argument}", PCRE, argument, context),
    "cidr": lambda argument, context: Cidr(f"cidr:{argument}", argument, context),
    "unionmap": _combined("unionmap", Union),
    "pipemap": _combined("pipemap", Pipe),
    "randmap": lambda argument, context: Random(f"randmap:{argument}", argument, context.random),
    "fail": lambda argument, _: Fail(f"fail:{argument}"),
    "environ": lambda argument, context: Environ(f"environ:{argument}", context.environ),
    "unix": lambda argument, _: Unix(f"unix:{argument}", argument),
}


def table_types() -> list[str]:
    """Return the names of all table types there are."""
    return sorted(
        {*TEXT_TYPES, *_BUILT_IN, "proxy", *(point.name for point in entry_points(group=ENTRY_POINT))}
    )


def open_table(spec: str, context: TableContext, *, aliases: bool = False) -> Table:
    """Return the table ``type:name``; the same one when it is open already.

    ``aliases``: its file has the format of aliases(5), as those named by alias_maps and
    alias_database always have.  ValueError has a sentence on a type that is not there, or a name
    that the type cannot use.  A file that is not there is found out by the look-ups.
    """
    aliases = aliases or context.is_alias_file(spec)
    table = context.tables.get((spec, aliases))
    if table is None:
        table = _open(spec, context, aliases=aliases)
        if context.watch is not None:
            table = watched(table, context.watch)
        context.tables[spec, aliases] = table
    return table


def _open(spec: str, context: TableContext, *, aliases: bool) -> Table:
    kind, _, argument = spec.partition(":")
    if not kind or not argument:
        raise ValueError(f'open dictionary: expecting "type:name" form instead of "{spec}"')
    if kind in TEXT_TYPES:
        return TextFile(spec, context.path(argument), context, aliases=aliases)
    if kind == "proxy":
        return open_table(argument, context, aliases=aliases)
    opener = _BUILT_IN.get(kind) or _foreign(kind)
    if opener is not None:
        return opener(argument, context)
    if kind in _PLANNED:
        raise ValueError(f"{kind}: tables of this type are not supported yet: {spec}")
    raise ValueError(f"unsupported dictionary type: {kind}")


def _foreign(kind: str) -> Opener | None:
    for point in entry_points(group=ENTRY_POINT, name=kind):
        opener: Opener = point.load()
        return opener
    return None


def problem_of(spec: str, context: TableContext) -> str:
    """Open a table and read its file; return a sentence on what prevents its use, "" when nothing does.

    Lines that are left out are told to ``context.warn``.
    """
    try:
        table = open_table(spec, context)
        if isinstance(table, LocalTable):
            table.load()
    except (ValueError, TableUnavailable) as error:
        return str(error)
    return ""
