"""``postmap``: ask a look-up table, list it, or check its source."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from getopt import GetoptError, gnu_getopt
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from postroad.model.ports import Table

_DIRECTORIES = ("/etc/postroad", "/etc/postfix")
_USAGE = "usage: {0} [-bfFhijmnNoprsuUvw] [-c config_dir] [-d key] [-q key] [map_type:]file..."


@dataclass(slots=True)
class Command:
    """One call: the program's name, its options (``-q`` is a key) and the tables."""

    name: str
    options: dict[str, str]
    specs: list[str]
    texts: Mapping[str, str]
    aliases: bool = False

    def say(self, kind: str, text: str) -> None:
        """Write a message for a person."""
        print(f"{self.name}: {kind}: {text}", file=sys.stderr)

    def warn(self, text: str) -> None:
        """Write a warning."""
        self.say("warning", text)


def run(directory: str | None, args: list[str]) -> int:
    """Run ``postmap`` with its arguments."""
    return run_as("postmap", directory, args)


def run_as(name: str, directory: str | None, args: list[str], *, aliases: bool = False) -> int:
    """Run ``postmap`` or ``postalias``; return the exit status: 1 for not found and for failures."""
    if "--help" in args:
        print(_USAGE.format(name))
        return 0
    try:
        options, specs = gnu_getopt(args, "bc:d:fFhijmnNopq:rsuUvw", ["json"])
    except GetoptError as error:
        print(f"{name}: fatal: {error}\n{_USAGE.format(name)}", file=sys.stderr)
        return 2
    chosen = dict(options)
    if not specs or ("-q" in chosen) + ("-s" in chosen) + ("-d" in chosen) > 1:
        print(f"{name}: fatal: {_USAGE.format(name)}", file=sys.stderr)
        return 2
    texts = parameters(name, chosen.get("-c", directory))
    if texts is None:
        return 1
    default = texts.get("default_database_type") or "hash"
    specs = [spec if ":" in spec else f"{default}:{spec}" for spec in specs]
    return _perform(Command(name, chosen, specs, texts, aliases))


def parameters(name: str, directory: str | None) -> Mapping[str, str] | None:
    """Return the expanded parameters; None, and a message, when the directory named has no main.cf.

    What else is wrong with the configuration is not this command's concern.
    """
    from postroad.base.config import find_facts, load
    from postroad.base.params import Registry
    from postroad.model.params import params

    named = directory or os.environ.get("MAIL_CONFIG")
    where = named or next((d for d in _DIRECTORIES if Path(d, "main.cf").exists()), _DIRECTORIES[-1])
    if named:
        try:
            Path(where, "main.cf").open("rb").close()
        except OSError as error:
            print(f"{name}: fatal: open {where}/main.cf: {error.strerror}", file=sys.stderr)
            return None
    return load(where, Registry([params]), find_facts(where)).settings.texts


def _perform(command: Command) -> int:
    import asyncio

    from postroad.base.errors import TableUnavailable

    try:
        if "-d" in command.options or "-i" in command.options:
            return _refuse(command)
        if "-q" in command.options:
            return asyncio.run(_query(command, command.options["-q"]))
        if "-s" in command.options:
            return _list(command)
        return check_sources(command)
    except BrokenPipeError:
        return 1
    except (ValueError, TableUnavailable, OSError) as error:
        command.say("fatal", str(error))
        return 1


def _refuse(command: Command) -> int:
    """Say why an index cannot be changed: there is none."""
    command.say(
        "fatal",
        f"{', '.join(command.specs)}: there is no index to change; the source text is the table, edit that",
    )
    return 1


def open_tables(command: Command, *, loud: bool) -> list[Table]:
    """Open the tables that the command names; ``loud`` says what is wrong with their lines."""
    from postroad.tables.context import TableContext
    from postroad.tables.registry import TEXT_TYPES, open_table
    from postroad.tables.textfile import TextFile

    context = TableContext("", command.texts)
    tables: list[Table] = []
    for spec in command.specs:
        kind, _, path = spec.partition(":")
        aliases = command.aliases or context.is_alias_file(spec)
        # those with an index in Postfix are silent when they are asked
        if loud or kind not in TEXT_TYPES or kind == "texthash":
            context.warn = command.warn
        if kind in TEXT_TYPES and path and "-f" in command.options:
            tables.append(TextFile(spec, path, context, aliases=aliases, folded=False))
        else:
            tables.append(open_table(spec, context, aliases=aliases))
    return tables


def check_sources(command: Command) -> int:
    """Read the sources, warn of lines that are left out.  What Postfix calls building the index."""
    for table in open_tables(command, loud=True):
        load = getattr(table, "load", None)
        if load is not None:
            load()
        if "-F" in command.options:
            for _, value in table.entries():  # type: ignore[attr-defined]
                _files(value)
    return 0


async def _query(command: Command, key: str) -> int:
    tables = open_tables(command, loud=False)
    if key != "-":
        value = await _find(command, tables, key)
        if value is not None:
            _print(command, key, value, alone=True)
        return 0 if value is not None else 1
    found = False
    for line in _keys(command, sys.stdin):
        value = await _find(command, tables, line)
        if value is not None:
            found = True
            _print(command, line, value)
    return 0 if found else 1


async def _find(command: Command, tables: list[Table], key: str) -> str | None:
    from postroad.tables.combined import key_for

    for table in tables:
        wanted = key if "-f" in command.options else key_for(table, key)
        value = await table.lookup(wanted)
        if value is not None:
            if not value:
                command.warn(f"table {table.name}: key {key}: empty string result is not allowed")
                command.warn(f"table {table.name} should return NO RESULT in case of NOT FOUND")
            return _files(value) if "-F" in command.options else value
    return None


def _keys(command: Command, lines: Iterable[str]) -> Iterator[str]:
    """Yield the keys in a stream: its lines, or the header or body lines of a message."""
    texts = (line.rstrip("\r\n") for line in lines)
    if "-h" not in command.options and "-b" not in command.options:
        yield from texts
        return
    header: list[str] = []
    for text in texts:
        if header and text[:1] in (" ", "\t"):
            header.append(text)
            continue
        if header and "-h" in command.options:
            yield "\n".join(header)
        header = [text] if text and ":" in text and text[0] not in " \t" else []
        if not header:
            break
    if header and "-h" in command.options:
        yield "\n".join(header)
    if "-b" in command.options:
        yield from texts


def _list(command: Command) -> int:
    for table in open_tables(command, loud=False):
        for key, value in table.entries():  # type: ignore[attr-defined]
            _print(command, key, _files(value) if "-F" in command.options else value)
    return 0


def _files(value: str) -> str:
    """Return the contents of the files that a value names, as ``-F`` stores them."""
    texts = [Path(name).read_text("utf-8", "surrogateescape") for name in value.replace(",", " ").split()]
    return "\n".join(texts)


def _print(command: Command, key: str, value: str, *, alone: bool = False) -> None:
    if "-j" in command.options or "--json" in command.options:
        import json

        line = json.dumps({key: value})
    elif alone:
        line = value
    else:
        line = f"{key}{':' if command.aliases else ''}\t{value}"
    sys.stdout.buffer.write(line.encode("utf-8", "surrogateescape") + b"\n")
    sys.stdout.flush()
