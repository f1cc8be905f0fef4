"""main.cf as text: logical lines, each with its place, and the ``name = value`` on it (postconf(5)).

The same logical lines make up master.cf.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from postroad.base.errors import Problem, Severity

#: What isspace() says of in the C locale; str.strip() alone would take U+00A0 and its like as well.
BLANKS = " \t\r\n\v\f"
_SHOWN = 30  # characters of a misplaced line that a warning quotes


@dataclass(frozen=True, slots=True)
class Line:
    """A logical line: its text, and which physical line each part of it came from.

    ``starts`` has (offset in ``text``, line number) pairs, in order.
    """

    text: str
    starts: tuple[tuple[int, int], ...]

    @property
    def number(self) -> int:
        """Return the number of the first physical line, from 1."""
        return self.starts[0][1]

    def number_at(self, offset: int) -> int:
        """Return the number of the physical line that the character at ``offset`` stands on."""
        return next(number for start, number in reversed(self.starts) if start <= offset)


class Setting(NamedTuple):
    """A value as it is written, ``$name`` unexpanded, and its place as ``file:line``."""

    text: str
    where: str


def decode(data: bytes) -> str:
    """Return a configuration file's text: UTF-8, other bytes kept as surrogates, no byte order mark."""
    return data.decode("utf-8", "surrogateescape").removeprefix("\ufeff")


def logical_lines(text: str) -> Iterator[Line]:
    """Yield the logical lines of a file.

    A line that begins with a blank continues the one before; comments and empty lines in between
    count for nothing.  A line that begins with a blank and has nothing to continue is yielded by
    itself, blanks first.
    """
    parts: list[str] = []
    starts: list[tuple[int, int]] = []
    size = 0
    for number, raw in enumerate(text.removeprefix("\ufeff").split("\n"), 1):
        line = raw.removesuffix("\r")
        content = line.lstrip(BLANKS)
        if not content or content.startswith("#"):
            continue
        if parts and line is content:
            yield Line("".join(parts), tuple(starts))
            parts, starts, size = [], [], 0
        parts.append(line)
        starts.append((size, number))
        size += len(line)
    if parts:
        yield Line("".join(parts), tuple(starts))


def split_setting(text: str) -> tuple[str, str]:
    """Split ``name = value``; ValueError in Postfix's words when it is none."""
    name, equals, value = text.strip(BLANKS).partition("=")
    name = name.rstrip(BLANKS)
    if not name:
        raise ValueError("missing attribute name")
    if not equals or any(blank in name for blank in BLANKS):
        raise ValueError("missing '=' after attribute name")
    return name, value.strip(BLANKS)


def misplaced(line: Line, file: str) -> Problem:
    """Return the warning about a line that begins with a blank and continues nothing."""
    text = line.text.rstrip(BLANKS)
    shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
    return Problem(
        f"{file}:{line.number}",
        f'logical line must not start with whitespace: "{shown}"',
        "the line is not used",
        Severity.WARNING,
    )


def parse(text: str, file: str = "main.cf") -> tuple[dict[str, Setting], list[Problem]]:
    """Return the settings of a main.cf, the last of each name, and what is wrong with the file."""
    settings: dict[str, Setting] = {}
    problems: list[Problem] = []
    for line in logical_lines(text):
        where = f"{file}:{line.number}"
        if line.text[0] in BLANKS:
            problems.append(misplaced(line, file))
            continue
        try:
            name, value = split_setting(line.text)
        except ValueError as error:
            shown = line.text.rstrip(BLANKS)
            problems.append(Problem(where, f'{error}: "{shown}"', "write name = value, or begin with #"))
            continue
        if "\0" in line.text:
            problems.append(Problem(where, f"null byte in the value of {name}", "the file is damaged"))
            continue
        earlier = settings.pop(name, None)
        if earlier is not None and earlier.text != value:
            problems.append(
                Problem(
                    where,
                    f"overriding earlier entry: {name}={earlier.text}",
                    f"{earlier.where} has no effect",
                    Severity.WARNING,
                )
            )
        settings[name] = Setting(value, where)
    return settings, problems
