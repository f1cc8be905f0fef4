"""Lists that are asked at one command."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from postroad.base.log import ListSink, Log
from postroad.base.tasks import result
from postroad.model.reply import Reply
from postroad.policy.query import CLIENT, HELO, RECIPIENT, Query
from postroad.policy.stages import Stage, walk
from postroad.policy.verdict import PERMIT

NO = Reply(550, "5.7.1", "no")


@pytest.fixture
def query(session):
    return Query(session, "RCPT", Log(ListSink()), soft_bounce=False)


def noting(heard, verdict, *, late):
    """Return a check that notes what it was asked about, and answers at once or a turn later."""

    async def wait(query):
        await asyncio.sleep(0)
        return at_once(query)

    def at_once(query):
        heard.append((query.kind, query.name))
        return verdict

    return wait if late else at_once


async def test_an_empty_stage_is_none(query):
    assert not Stage(CLIENT, lambda _query: "x", (), ())
    assert walk((), query) is None


@pytest.mark.parametrize("late", list(itertools.product((False, True), repeat=4)))
async def test_a_permit_ends_its_list_and_a_refusal_all_of_them(query, late):
    heard = []
    yes, nothing, no, never = (
        noting(heard, verdict, late=wait)
        for verdict, wait in zip((PERMIT, None, NO, None), late, strict=True)
    )
    stages = (
        Stage(CLIENT, lambda _query: "c", (yes, never), (nothing,)),
        Stage(HELO, lambda _query: None, (never,)),
        Stage(RECIPIENT, lambda _query: "r", (no,), (never,)),
    )
    assert (await result(walk(stages, query))).line() == "550 5.7.1 no"
    assert heard == [(CLIENT, "c"), (CLIENT, "c"), (RECIPIENT, "r")]
    assert await result(walk(stages[:2], query)) is None


async def test_what_does_not_wait_makes_no_coroutine(query):
    stage = Stage(CLIENT, lambda _query: "c", (noting([], None, late=False),))
    assert walk((stage,), query) is None
