"""Every parameter that Postfix has, and what becomes of those that the registry does not have.

The names and defaults stand in ``postfix_parameters.txt``, the sentences in ``postfix_notes.txt``.
Both are read when they are first asked for, which a server whose main.cf sets declared parameters
only never does.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from fnmatch import translate
from functools import cache
from pathlib import Path

from postroad.base.errors import Severity

_HERE = Path(__file__).parent
_SEVERITIES = {"unsupported": Severity.UNSUPPORTED, "meaningless": Severity.MEANINGLESS}
_UNNAMED = "it is not obeyed yet: the default is in force"


@dataclass(frozen=True, slots=True)
class Known:
    """A parameter of Postfix: its default, and flags.

    ``raw`` is not expanded, ``fixed`` is set by Postfix alone, ``old`` has no default any more: it
    is there for a newer parameter whose default refers to it.
    """

    name: str
    default: str
    flags: frozenset[str]


def _lines(name: str) -> Iterable[str]:
    for line in (_HERE / name).read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            yield line


@cache
def parameters() -> dict[str, Known]:
    """Return Postfix's parameters with fixed names."""
    return _tables()[0]


@cache
def families() -> dict[str, Known]:
    """Return the suffixes of the parameters that a service has under its own name."""
    return _tables()[1]


@cache
def _tables() -> tuple[dict[str, Known], dict[str, Known]]:
    fixed: dict[str, Known] = {}
    suffixes: dict[str, Known] = {}
    for line in _lines("postfix_parameters.txt"):
        name, flags, default = (part.strip() for part in line.split("|", 2))
        table = suffixes if name.startswith("_") else fixed
        table[name] = Known(name, default, frozenset(flags.split()))
    return fixed, dict(sorted(suffixes.items(), key=lambda item: -len(item[0])))


@cache
def _notes() -> list[tuple[re.Pattern[str], Severity, str]]:
    rules: list[tuple[re.Pattern[str], Severity, str]] = []
    for line in _lines("postfix_notes.txt"):
        sort, patterns, sentence = (part.strip() for part in line.split("|", 2))
        joined = "|".join(translate(pattern) for pattern in patterns.split())
        rules.append((re.compile(joined), _SEVERITIES[sort], sentence))
    return rules


def family_of(name: str, transports: Collection[str]) -> tuple[Known, str] | None:
    """Return Postfix's family and the service's name that ``name`` is made of, if it is."""
    for suffix, family in families().items():
        if name.endswith(suffix) and name[: -len(suffix)] in transports:
            return family, name[: -len(suffix)]
    return None


def transport_of(name: str) -> str:
    """Return what stands before the suffix of a family, whether there is such a service or not."""
    return next((name[: -len(suffix)] for suffix in families() if name.endswith(suffix)), "")


def is_known(name: str, transports: Collection[str]) -> bool:
    """Return whether Postfix has a parameter of this name, with these services in master.cf."""
    return name in parameters() or family_of(name, transports) is not None


def default_of(name: str) -> str | None:
    """Return Postfix's default of a parameter, None when it has no such parameter."""
    found = parameters().get(name)
    return None if found is None or "old" in found.flags else found.default


def fate(name: str) -> tuple[Severity, str]:
    """Return how a parameter that is not declared counts, and what happens instead or why not."""
    for pattern, severity, sentence in _notes():
        if pattern.match(name):
            return severity, sentence
    return Severity.UNSUPPORTED, _UNNAMED


def nearest(name: str, declared: Iterable[str]) -> str:
    """Return the known name that is most like ``name``; empty when none is."""
    names = {*declared, *(each.name for each in parameters().values() if "old" not in each.flags)}
    found = difflib.get_close_matches(name, names, 1, 0.8)
    return found[0] if found else ""
