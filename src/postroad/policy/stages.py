"""The lists that are asked at one command, in their order, and what their refusals speak of."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Sequence
from types import CoroutineType
from typing import Any

from postroad.policy.evaluation import Outcome, run
from postroad.policy.query import Query
from postroad.policy.verdict import PERMIT, Check, Verdict


class Stage:
    """Lists that speak of the same thing: of what ``name`` returns.  Where that is None nobody asks them."""

    __slots__ = ("kind", "lists", "name")

    def __init__(self, kind: str, name: Callable[[Query], str | None], *lists: tuple[Check, ...]) -> None:
        self.kind = kind
        self.name = name
        self.lists = tuple(checks for checks in lists if checks)

    def __bool__(self) -> bool:
        return bool(self.lists)


def walk(
    stages: Sequence[Stage], query: Query, at: int = 0, left: Iterable[tuple[Check, ...]] = ()
) -> Outcome:
    """Ask one list after the other until one refuses; return the refusal, or None.

    ``left`` and the stages from ``at`` on: those that have not been asked yet.
    """
    while True:
        left = iter(left)
        for checks in left:
            outcome: Any = run(checks, query)
            if outcome is None or outcome is PERMIT:
                continue
            if outcome.__class__ is CoroutineType:
                return _wait(stages, query, at, left, outcome)
            refusal: Verdict = outcome
            return refusal
        if at == len(stages):
            return None
        stage = stages[at]
        at += 1
        name = stage.name(query)
        if name is not None:
            query.begin(name, stage.kind)
            left = stage.lists


async def _wait(
    stages: Sequence[Stage],
    query: Query,
    at: int,
    left: Iterable[tuple[Check, ...]],
    outcome: Coroutine[Any, Any, Verdict],
) -> Verdict:
    verdict = await outcome
    if verdict is not None and verdict is not PERMIT:
        return verdict
    further: Any = walk(stages, query, at, left)
    return await further if further.__class__ is CoroutineType else further  # type: ignore[no-any-return]
