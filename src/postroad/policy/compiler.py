"""Restriction lists: from their words to a tuple of checks."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from postroad.base.kinds import LIST
from postroad.policy.basics import broken, unknown
from postroad.policy.evaluation import run_inside, warning
from postroad.policy.items import Classes, Item, Sort, read_list
from postroad.policy.names import MAKERS, TAKERS
from postroad.policy.services import Services
from postroad.policy.trail import Restrictions
from postroad.policy.verdict import Check, ServerError

#: Values of access tables whose lists are kept.  Patterns can make a new one of every key.
_KEPT = 1000

#: Puts something around a check, for who wants to watch: list, place, restriction, its check.
Wrap = Callable[[str, int, Item, Check], Check]


class Compiler:
    """Compiles the lists of one service.  A class is compiled when it is first reached."""

    def __init__(self, services: Services, classes: Classes, wrap: Wrap | None = None) -> None:
        self._services = services
        self._wrap = wrap
        self._classes = classes
        self._compiled: dict[tuple[str, str], tuple[Check, ...]] = {}
        self._from_tables: dict[tuple[str, str], tuple[Check, ...]] = {}
        services.lists = self

    def compile(self, words: Iterable[str], default: str = "", name: str = "") -> Restrictions:
        """Return the checks that the words stand for.

        ``default`` is the access check that a bare ``type:table`` means, "" where it means none;
        ``name`` is the list's.
        ValueError has a sentence on an argument that cannot be used.
        """
        checks, items = [], []
        for place, item in enumerate(read_list(words, self._classes, default), 1):
            check = self._check(item, default)
            if self._wrap is not None:
                check = self._wrap(name, place, item, check)
            checks.append(warning(check) if item.warn else check)
            items.append((place, item))
        return Restrictions(checks, name, items)

    def from_table(self, text: str, default: str) -> tuple[Check, ...]:
        """Return the checks that a value of an access table names; ServerError if it cannot be read."""
        checks = self._from_tables.get((text, default))
        if checks is None:
            try:
                checks = self.compile(LIST.parse(text), default, text)
            except ValueError as error:
                raise ServerError(f"{text}: {error}") from error
            if len(self._from_tables) >= _KEPT:
                self._from_tables.clear()
            self._from_tables[text, default] = checks
        return checks

    def try_classes(self) -> None:
        """Raise ValueError for a class that has an argument which cannot be used."""
        for words in self._classes.values():
            self.compile(words, "check_client_access")

    def _check(self, item: Item, default: str) -> Check:
        name = item.name
        match item.sort:
            case Sort.WORKS:
                return MAKERS[name](self._services)
            case Sort.TAKES:
                return TAKERS[name](self._services, name, item.argument, default)
            case Sort.CLASS:
                return lambda query: run_inside(self._class(name, default), query, name)
            case Sort.MISPLACED:
                return broken(
                    f'specify one of (check_client_access, ...) before restriction "{item.argument}"'
                )
            case Sort.UNKNOWN:
                return unknown(name)

    def _class(self, name: str, default: str) -> tuple[Check, ...]:
        checks = self._compiled.get((name, default))
        if checks is None:
            try:
                checks = self.compile(self._classes[name], default, name)
            except ValueError as error:
                raise ServerError(f"restriction class `{name}': {error}") from error
            self._compiled[name, default] = checks
        return checks
