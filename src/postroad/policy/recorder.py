"""Hears of every restriction that is asked, of what it looked up, and of what it answered."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from types import CoroutineType
from typing import TYPE_CHECKING, Any

from postroad.base.errors import PostroadError
from postroad.model.explain import Lookup, Outcome, Step
from postroad.model.reply import Reply
from postroad.policy.trail import item_text
from postroad.policy.verdict import PERMIT, Check, Verdict

if TYPE_CHECKING:
    from postroad.policy.items import Item
    from postroad.policy.query import Query

#: Says in words what a restriction looked at: (restriction, question), "" for nothing to say.
Reason = Callable[["Item", "Query"], Coroutine[Any, Any, str]]


class _Frame:
    """What is gathered while one restriction is asked."""

    __slots__ = ("lookups", "steps")

    def __init__(self) -> None:
        self.lookups: list[Lookup] = []
        self.steps: list[Step] = []


class Recorder:
    """Records one session at a time; ``take`` gives what was heard since the last one."""

    def __init__(self) -> None:
        #: Set by who knows the restrictions.
        self.reason: Reason | None = None
        self._frames = [_Frame()]

    def lookup(self, lookup: Lookup) -> None:
        """Hear of a look-up: it belongs to the restriction that is being asked."""
        lookups = self._frames[-1].lookups
        if not lookups or lookups[-1] != lookup:
            lookups.append(lookup)

    def take(self) -> tuple[tuple[Step, ...], tuple[Lookup, ...]]:
        """Return what was heard, and begin anew."""
        frame, self._frames = self._frames[0], [_Frame()]
        return tuple(frame.steps), tuple(frame.lookups)

    def wrap(self, name: str, place: int, item: Item, check: Check) -> Check:
        """Return a check that does the same and is heard of; see ``policy.compiler.Wrap``."""

        async def recorded(query: Query) -> Verdict:
            frame = _Frame()
            self._frames.append(frame)
            before = query.put_off, query.doubt
            verdict: Verdict = None
            error = ""
            try:
                answer: Any = check(query)
                verdict = await answer if answer.__class__ is CoroutineType else answer
            except PostroadError as caught:
                error = str(caught)
                raise
            finally:
                self._frames.pop()
                outcome, reply = (Outcome.FAILS, error) if error else _outcome(query, verdict, before)
                reason = await self._why(item, query)
                step = Step(
                    name,
                    place,
                    item_text(item),
                    outcome,
                    reason,
                    reply,
                    tuple(frame.lookups),
                    tuple(frame.steps),
                )
                self._frames[-1].steps.append(step)
            return verdict

        return recorded

    async def _why(self, item: Item, query: Query) -> str:
        """Return the reason; what is looked up for it is nobody's."""
        if self.reason is None:
            return ""
        self._frames.append(_Frame())
        try:
            return await self.reason(item, query)
        finally:
            self._frames.pop()


def _outcome(query: Query, verdict: Verdict, before: tuple[Reply | None, Reply | None]) -> tuple[Outcome, str]:  # fmt: skip  # noqa: E501
    if verdict is PERMIT:
        return Outcome.PERMITS, ""
    if isinstance(verdict, Reply):
        return (Outcome.WARNS if query.warn else Outcome.REFUSES), verdict.line()
    put_off, doubt = before
    if query.put_off is not None and put_off is None:
        return Outcome.PUTS_OFF, query.put_off.line()
    if query.doubt is not None and doubt is None:
        return Outcome.DOUBTS, query.doubt.line()
    return Outcome.GOES_ON, ""
