"""How a list of checks is run."""

from __future__ import annotations

from types import CoroutineType
from typing import Any, Final

from postroad.base.errors import PostroadError
from postroad.policy.query import Query
from postroad.policy.verdict import PERMIT, Check, ServerError, Verdict

#: Lists inside lists, as deep as Postfix goes.
DEEPEST: Final = 100


async def run(checks: tuple[Check, ...], query: Query) -> Verdict:
    """Ask one after the other until one permits or refuses; None when none does."""
    try:
        for check in checks:
            if query.discarded:
                return None
            answer: Any = check(query)
            verdict: Verdict = await answer if answer.__class__ is CoroutineType else answer
            if verdict is None:
                if query.turned and query.turn(checks, check):
                    return None
                continue
            if verdict is PERMIT:
                return PERMIT
            refusal = query.refuse(verdict)
            if refusal is not None:
                query.decided(checks, check)
                return refusal
    except PostroadError:
        query.decided(checks, check)
        raise
    return None


async def run_inside(checks: tuple[Check, ...], query: Query, what: str) -> Verdict:
    """Run a list inside another; ServerError when they are too many, one in the other."""
    if query.depth > DEEPEST:
        raise ServerError(f"{what} causes unreasonable recursion")
    query.depth += 1
    try:
        verdict = await run(checks, query)
    finally:
        query.depth -= 1
    if verdict is not None and query.notes is not None:
        query.notes.close()
    return verdict


def warning(check: Check) -> Check:
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
