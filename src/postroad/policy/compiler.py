"""Restriction lists: from the words of main.cf to a tuple of checks.

A list is read into ``Item``s first, which the compiler and ``postroad check`` both look at; so what
is reported and what is run cannot differ.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from types import CoroutineType
from typing import Any, NamedTuple

from postroad.base.kinds import LIST
from postroad.policy.basics import unknown
from postroad.policy.names import GUARDS, MAKERS, PLAIN, WARN_IF_REJECT, WITH_ARGUMENT
from postroad.policy.query import Query
from postroad.policy.services import Services
from postroad.policy.verdict import PERMIT, Check, ServerError, Verdict

_DEEPEST = 100  # restriction classes inside restriction classes, as in Postfix

Classes = Mapping[str, tuple[str, ...]]


class Sort(Enum):
    """What a word of a restriction list turned out to be."""

    WORKS = "works"
    CLASS = "class"
    UNSUPPORTED = "unsupported"
    UNKNOWN = "unknown"


class Item(NamedTuple):
    """One restriction: its name in lower case (a class's as written), its argument, what it is."""

    name: str
    argument: str
    sort: Sort
    warn: bool


def read_list(words: Iterable[str], classes: Classes) -> Iterator[Item]:
    """Yield the restrictions that the words say.

    ``type:table`` alone is short for the access check of the list it stands in; one restriction
    behind ``warn_if_reject`` is only warned of.
    """
    warn = False
    waiting = iter(words)
    for word in waiting:
        name = word.lower()
        if name == WARN_IF_REJECT:
            warn = True
            continue
        if name in MAKERS:
            yield Item(name, "", Sort.WORKS, warn)
        elif name in PLAIN:
            yield Item(name, "", Sort.UNSUPPORTED, warn)
        elif name in WITH_ARGUMENT:
            yield Item(name, next(waiting, ""), Sort.UNSUPPORTED, warn)
        elif ":" in word or word.startswith("{"):
            yield Item("check_..._access", word, Sort.UNSUPPORTED, warn)
        elif word in classes:
            yield Item(word, "", Sort.CLASS, warn)
        else:
            yield Item(word, "", Sort.UNKNOWN, warn)
        warn = False


def classes_of(names: Iterable[str], texts: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Return the restriction classes; ValueError for one that is not defined."""
    classes = {}
    for name in names:
        classes[name] = LIST.parse(texts.get(name, ""))
        if not classes[name]:
            raise ValueError(f"restriction class `{name}' needs a definition")
    return classes


def is_guarded(words: Iterable[str], classes: Classes, depth: int = 0) -> bool:
    """Return whether the list has a restriction that keeps strangers from relaying."""
    for item in read_list(words, classes):
        if item.warn:
            continue
        if item.name == "permit" or depth > _DEEPEST:
            return False
        if item.name in GUARDS and item.sort is Sort.WORKS:
            return True
        if item.sort is Sort.CLASS and is_guarded(classes[item.name], classes, depth + 1):
            return True
    return False


def compile_list(
    words: Iterable[str], services: Services, classes: Classes, depth: int = 0
) -> tuple[Check, ...]:
    """Return the checks that the words stand for; what is not supported is left out."""
    checks = []
    for item in read_list(words, classes):
        check = _check_of(item, services, classes, depth)
        if check is not None:
            checks.append(_warning(check) if item.warn else check)
    return tuple(checks)


def _check_of(item: Item, services: Services, classes: Classes, depth: int) -> Check | None:
    if item.sort is Sort.WORKS:
        return MAKERS[item.name](services)
    if item.sort is Sort.CLASS:
        if depth > _DEEPEST:
            return _too_deep(item.name)
        return _class(compile_list(classes[item.name], services, classes, depth + 1))
    return unknown(item.name) if item.sort is Sort.UNKNOWN else None


async def run(checks: tuple[Check, ...], query: Query) -> Verdict:
    """Ask one after the other until one permits or refuses; None when none does."""
    for check in checks:
        answer: Any = check(query)
        verdict: Verdict = await answer if answer.__class__ is CoroutineType else answer
        if verdict is None:
            if query.stop:
                return None
            continue
        if verdict is PERMIT:
            return PERMIT
        refusal = query.refuse(verdict)
        if refusal is not None:
            return refusal
    return None


def _class(checks: tuple[Check, ...]) -> Check:
    return lambda query: run(checks, query)


def _too_deep(name: str) -> Check:
    def check(_query: Query) -> Verdict:
        raise ServerError(f"restriction class `{name}' refers to itself")

    return check


def _warning(check: Check) -> Check:
    """Return the check behind ``warn_if_reject``: its refusals are logged, and the list goes on."""

    async def warned(query: Query) -> Verdict:
        outer, query.warn = query.warn, True
        try:
            answer: Any = check(query)
            verdict: Verdict = await answer if answer.__class__ is CoroutineType else answer
            if verdict is None or verdict is PERMIT:
                return verdict
            return query.refuse(verdict)
        finally:
            query.warn = outer

    return warned
