"""``postroad manual``: the reference of all parameters, or of some."""

from __future__ import annotations

import sys

from postroad.admin.manual import entry, family_entry, manual
from postroad.app.registry import registry
from postroad.base import known

_USAGE = """usage: postroad manual [NAME ...]

Prints what each parameter of main.cf means; without a name, the reference of all.
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
    status = 0
    for name in args:
        status |= _one(name)
    return status


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
