"""What the tables of rules share: where rules come from, and their ``if`` ... ``endif``."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Generic, NamedTuple, Protocol, TypeVar

from postroad.base.kinds import split_list
from postroad.tables.braces import inside
from postroad.tables.context import TableContext
from postroad.tables.lines import Warn, logical_lines
from postroad.tables.source import Source

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Compiled(Protocol[T_co]):
    """Compiled rules that may change with their file."""

    def get(self) -> T_co:
        """Return them; TableUnavailable when they cannot be read."""
        ...


class _Fixed(Generic[T]):
    """Rules that stand in main.cf itself."""

    __slots__ = ("_value",)

    def __init__(self, value: T) -> None:
        self._value = value

    def get(self) -> T:
        """Return the rules."""
        return self._value


def rule_source(argument: str, compile_rules: Callable[[str, Iterable[tuple[int, str]]], T], context: TableContext) -> Compiled[T]:  # fmt: skip  # noqa: E501
    """Return the compiled rules of a file, or of ``{ { rule } { rule } }``.

    ``compile_rules(name, lines)`` gets numbered logical lines.
    """
    if not argument.startswith("{"):
        path = context.path(argument)
        return Source(path, lambda text: compile_rules(path, logical_lines(text)), context)
    rules = [inside(member) for member in split_list(inside(argument))]
    return _Fixed(compile_rules("inline", enumerate(rules, 1)))


def is_negated(text: str) -> tuple[bool, str]:
    """Return whether an odd number of ``!`` stands in front, and the text behind them."""
    negated = False
    while text.startswith("!"):
        negated = not negated
        text = text[1:].lstrip()
    return negated, text


class Block(NamedTuple, Generic[T]):
    """An ``if``: its line and its condition."""

    line: int
    condition: T


class Blocks(Generic[T]):
    """The ``if`` blocks that are open while a file is read."""

    def __init__(self, where: str, warn: Warn) -> None:
        self._where = where
        self._warn = warn
        self._open: list[Block[T]] = []

    def open(self, line: int, condition: T) -> None:
        """Begin a block."""
        self._open.append(Block(line, condition))

    def close(self) -> T | None:
        """End the innermost block and return its condition, None when no block is open."""
        return self._open.pop().condition if self._open else None

    def conditions(self) -> tuple[T, ...]:
        """Return the conditions of all open blocks, the outermost first."""
        return tuple(block.condition for block in self._open)

    def end(self) -> list[T]:
        """Warn of blocks that the file does not close, and return their conditions."""
        for block in self._open:
            self._warn(f"{self._where}, line {block.line}: IF has no matching ENDIF")
        return [block.condition for block in self._open]
