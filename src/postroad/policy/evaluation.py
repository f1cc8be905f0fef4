"""How a list of checks is run: at once, and with a coroutine only from the first check on that waits."""

from __future__ import annotations

from collections.abc import Coroutine, Iterator
from enum import Enum
from types import CoroutineType
from typing import Any, Final, TypeAlias

from postroad.base.errors import PostroadError
from postroad.policy.query import Query
from postroad.policy.verdict import PERMIT, Check, ServerError, Verdict

#: Lists inside lists, as deep as Postfix goes.
DEEPEST: Final = 100

#: What a check and a list give: the verdict, or who will give it.
Outcome: TypeAlias = Verdict | Coroutine[Any, Any, Verdict]
_Checks: TypeAlias = tuple[Check, ...]


class _Open(Enum):
    OPEN = "the list goes on"


def run(checks: _Checks, query: Query, left: Iterator[Check] | None = None) -> Outcome:
    """Ask one after the other until one permits or refuses; None when none does.

    ``left``: those that have not been asked yet, when a part of the list is over.
    """
    if left is None:
        left = iter(checks)
    try:
        for check in left:
            if query.discarded:
                return None
            answer: Any = check(query)
            if answer is None and not query.turned:
                continue
            if answer is PERMIT:
                return PERMIT  # type: ignore[no-any-return]
            if answer.__class__ is CoroutineType:
                return _wait(checks, query, left, check, answer)
            end = _judged(checks, query, check, answer)
            if not isinstance(end, _Open):
                return end
    except PostroadError:
        query.decided(checks, check)
        raise
    return None


async def _wait(checks: _Checks, query: Query, left: Iterator[Check], check: Check, answer: Coroutine[Any, Any, Verdict]) -> Verdict:  # fmt: skip  # noqa: E501
    try:
        end = _judged(checks, query, check, await answer)
    except PostroadError:
        query.decided(checks, check)
        raise
    if not isinstance(end, _Open):
        return end
    outcome: Any = run(checks, query, left)
    verdict: Verdict = await outcome if outcome.__class__ is CoroutineType else outcome
    return verdict


def _judged(checks: _Checks, query: Query, check: Check, verdict: Verdict) -> Verdict | _Open:
    """Return how the list ends with a check's verdict, if it does."""
    if verdict is None:
        return None if query.turned and query.turn(checks, check) else _Open.OPEN
    if verdict is PERMIT:
        return PERMIT
    refusal = query.refuse(verdict)
    if refusal is None:
        return _Open.OPEN
    query.decided(checks, check)
    return refusal


def run_inside(checks: _Checks, query: Query, what: str) -> Outcome:
    """Run a list inside another; ServerError when they are too many, one in the other."""
    if query.depth > DEEPEST:
        raise ServerError(f"{what} causes unreasonable recursion")
    query.depth += 1
    try:
        outcome: Any = run(checks, query)
    except BaseException:
        query.depth -= 1
        raise
    if outcome.__class__ is CoroutineType:
        return _wait_inside(query, outcome)
    query.depth -= 1
    return _closed(query, outcome)


async def _wait_inside(query: Query, outcome: Coroutine[Any, Any, Verdict]) -> Verdict:
    try:
        verdict = await outcome
    finally:
        query.depth -= 1
    return _closed(query, verdict)


def _closed(query: Query, verdict: Verdict) -> Verdict:
    if verdict is not None and query.notes is not None:
        query.notes.close()
    return verdict


def warning(check: Check) -> Check:
    """Return the check behind ``warn_if_reject``: its refusals are logged, and the list goes on."""

    def warned(query: Query) -> Outcome:
        outer, query.warn = query.warn, True
        try:
            answer: Any = check(query)
            if answer.__class__ is CoroutineType:
                return _wait_warned(query, outer, answer)
            return _softened(query, answer)
        finally:
            query.warn = outer

    return warned


async def _wait_warned(query: Query, outer: bool, answer: Coroutine[Any, Any, Verdict]) -> Verdict:
    query.warn = True
    try:
        return _softened(query, await answer)
    finally:
        query.warn = outer


def _softened(query: Query, verdict: Verdict) -> Verdict:
    return verdict if verdict is None or verdict is PERMIT else query.refuse(verdict)
