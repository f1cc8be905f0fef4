"""``postroad manual``: the reference of all parameters, or of some."""

from __future__ import annotations

import sys
from pathlib import Path

from postroad.admin.manual import entry, family_entry, manual
from postroad.app.registry import registry
from postroad.base import known

_USAGE = """usage: postroad manual [NAME ...]
       postroad manual {--write | --check} FILE

Prints what each parameter of main.cf means; without a name, the reference of all.
  --write  writes the reference to FILE
  --check  says whether FILE is the reference; 1 if it is not
"""


def run(directory: str | None, args: list[str]) -> int:
    """Run the command; 1 for a name that Postroad has no parameter of."""
    del directory
    if "--help" in args or "-h" in args:
        print(_USAGE, end="")
        return 0
    if not args:
        print(manual(registry()), end="")
        return 0
    if args[0] in ("--write", "--check") and len(args) == 2:
        return _file(Path(args[1]), write=args[0] == "--write")
    if any(word.startswith("-") for word in args):
        print(_USAGE, end="", file=sys.stderr)
        return 2
    status = 0
    for name in args:
        status |= _one(name)
    return status


def _file(path: Path, *, write: bool) -> int:
    text = manual(registry())
    if write:
        path.write_text(text, "utf-8")
        return 0
    try:
        same = path.read_text("utf-8") == text
    except OSError as error:
        print(f"postroad manual: {path}: {error.strerror}", file=sys.stderr)
        return 1
    if not same:
        print(f"postroad manual: {path} is out of date: postroad manual --write {path}", file=sys.stderr)
    return 0 if same else 1


def _one(name: str) -> int:
    param = registry().get(name)
    family = registry().family_of(name)
    if param is not None:
        print(entry(param))
    elif family is not None:
        print(family_entry(family[0]))
    elif name in known.parameters():
        print(f"### {name}\n\n{known.fate(name)[1]}\n\n*{known.fate(name)[0].value}*\n")
    else:
        near = known.nearest(name, (each.name for each in registry()))
        hint = f"; did you mean {near}?" if near else ""
        print(f"postroad manual: no such parameter: {name}{hint}", file=sys.stderr)
        return 1
    return 0
