"""Table files: logical lines, and the two formats of records, ``key value`` and ``name: value``."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from postroad.mail.address import fold, to_internal

Warn = Callable[[str], None]

_CONTINUED = re.compile(r"\n[ \t]+[^\s#]")
_LINE = re.compile(r"^[^\s#].*$", re.MULTILINE)
_RECORD = re.compile(r"^([^\s#\"\\][^\s\"\\]*)[ \t]+(\S.*)$", re.MULTILINE)
_KEY = re.compile(r'(?:\\.|"(?:\\.|[^"\\])*"|[^\s"\\])+')
_ALIAS = re.compile(r'\s*((?:\\.|"(?:\\.|[^"\\])*"|[^:"\\])*?)\s*:\s*(.*)', re.DOTALL)


def logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield (number of its first line, text) of each logical line.

    A line that begins with white space continues the one before; empty lines and comments are
    nothing, even between the two.
    """
    start = 0
    parts: list[str] = []
    for number, line in enumerate(text.split("\n"), 1):
        stripped = line.strip()
        if not stripped or stripped[0] == "#":
            continue
        if parts and line[0] in " \t":
            parts.append(line.rstrip("\r"))
            continue
        if parts:
            yield start, "".join(parts).strip()
        start, parts = number, [line.rstrip("\r")]
    if parts:
        yield start, "".join(parts).strip()


def read_map(path: str, text: str, warn: Warn, *, folded: bool = True) -> dict[str, str]:
    """Return the records ``key whitespace value`` of a file's text, the first of equal keys.

    Lines that are no record are warned of, with file and line, and left out, as postmap(1) does.
    """
    change = fold if folded else str
    if not _CONTINUED.search(text):
        # the common file, at one pass; anything to complain of is left to the careful way
        pairs = _RECORD.findall(text)
        table = {change(key): value.rstrip() for key, value in reversed(pairs)}
        if len(table) == len(pairs) == len(_LINE.findall(text)) and not any(k.endswith(":") for k in table):
            return dict(reversed(table.items()))
    table = {}
    for number, line in logical_lines(text):
        record = _map_record(line)
        if isinstance(record, str):
            warn(f"{path}, line {number}: {record}")
            continue
        key, value = record
        if key.endswith(":"):
            warn(f'{path}, line {number}: record is in "key: value" format; is this an alias file?')
        _put(table, change(key), value, f"{path}, line {number}", warn)
    return table


def _map_record(line: str) -> tuple[str, str] | str:
    match = _KEY.match(line)
    end = match.end() if match else 0
    if end < len(line) and line[end] in '"\\':
        return f"unbalanced '\"' in '{line}' -- ignoring this line"
    value = line[end:].strip()
    if not end or not value:
        return "expected format: key whitespace value -- ignoring this line"
    return line[:end], value


def read_aliases(path: str, text: str, warn: Warn, *, folded: bool = True) -> dict[str, str]:
    """Return the records ``name: value`` of an aliases(5) file's text, the first of equal names."""
    change = fold if folded else str
    table: dict[str, str] = {}
    for number, line in logical_lines(text):
        match = _ALIAS.fullmatch(line)
        if match is None or not match[1] or not match[2]:
            warn(f"{path}, line {number}: need name:value pair")
            continue
        if "@" in match[1]:
            warn(f"{path}, line {number}: name must be local")
            continue
        _put(table, change(to_internal(match[1])), match[2], f"{path}, line {number}", warn)
    return table


def _put(table: dict[str, str], key: str, value: str, where: str, warn: Warn) -> None:
    if key in table:
        warn(f'{where}: duplicate entry: "{key}"')
    else:
        table[key] = value
