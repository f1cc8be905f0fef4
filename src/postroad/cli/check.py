"""``postroad check``: every finding about the configuration, in groups."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Final

from postroad.admin.check import check
from postroad.app.checks import FURTHER
from postroad.app.registry import registry
from postroad.base.config import find_facts, load
from postroad.base.errors import Problem, Severity

_USAGE: Final = """usage: postroad check [-c DIR] [--json] [--quiet]

Reads main.cf and master.cf and prints what it finds, each with file:line.
  --json   one JSON object a line: where, severity, message, hint
  --quiet  errors and warnings only
The exit status is 1 if there is an error: the server would not start.
"""
_HEADINGS: Final = {
    Severity.ERROR: "Errors: the server does not start",
    Severity.UNSUPPORTED: "Not supported: Postfix obeys these, and this happens instead",
    Severity.MEANINGLESS: "Accepted, without meaning here",
    Severity.WARNING: "Warnings",
}


def run(directory: str | None, args: list[str]) -> int:
    """Run the command; 1 if there is an error, 2 for an unknown argument."""
    if "--help" in args or "-h" in args:
        print(_USAGE, end="")
        return 0
    unknown = [word for word in args if word not in ("--json", "--quiet")]
    if unknown:
        print(f"postroad check: unexpected {unknown[0]}\n{_USAGE}", end="", file=sys.stderr)
        return 2
    where = directory or "/etc/postfix"
    problems = check(load(where, registry(), find_facts(where)), FURTHER)
    if "--quiet" in args:
        problems = [p for p in problems if p.severity in (Severity.ERROR, Severity.WARNING)]
    if "--json" in args:
        _print_json(problems)
    else:
        print(text_of(problems, where), end="")
    return 1 if any(problem.severity is Severity.ERROR for problem in problems) else 0


def text_of(problems: Iterable[Problem], directory: str) -> str:
    """Return the findings as people read them, one group for each severity."""
    problems = list(problems)
    lines: list[str] = []
    for severity, heading in _HEADINGS.items():
        group = [problem for problem in problems if problem.severity is severity]
        if group:
            lines += [f"{heading} ({len(group)}):", *(f"  {printable(problem)}" for problem in group), ""]
    errors = sum(problem.severity is Severity.ERROR for problem in problems)
    summary = f"{errors} error{'' if errors == 1 else 's'}" if errors else "no errors"
    lines.append(f"{directory}: {summary}")
    return "\n".join(lines) + "\n"


def printable(problem: Problem) -> str:
    """Return a finding as one line that any terminal can show: main.cf may have any byte in it."""
    text = str(problem).encode("utf-8", "replace").decode("utf-8")
    return "".join(char if char.isprintable() else "?" for char in text)


def _print_json(problems: Iterable[Problem]) -> None:
    import json

    for problem in problems:
        entry = {
            "where": problem.where,
            "severity": problem.severity.value,
            "message": problem.message,
            "hint": problem.hint,
        }
        print(json.dumps(entry))
