"""Lists are run in order, with warn_if_reject and classes."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from postroad.base.log import Log
from postroad.base.tasks import result
from postroad.model.reply import Reply
from postroad.policy.evaluation import run, run_inside
from postroad.policy.query import RECIPIENT, Query
from postroad.policy.verdict import PERMIT, ServerError


@pytest.fixture
def compiled(services):
    def make(listed: list[str], classes: dict[str, tuple[str, ...]] | None = None):
        return services(classes).lists.compile(listed)

    return make


@pytest.fixture
def query(session, sink):
    made = Query(session, "RCPT", Log(sink), soft_bounce=False)
    made.recipient = "u@here.test"
    made.begin("u@here.test", RECIPIENT)
    return made


def words(text: str) -> list[str]:
    return text.split()


async def test_an_empty_list_says_nothing(compiled, query):
    assert await result(run(compiled([]), query)) is None


async def test_the_first_answer_counts(compiled, query):
    assert await result(run(compiled(words("permit reject")), query)) is PERMIT
    answer = await result(run(compiled(words("reject permit")), query))
    assert answer == Reply(554, "5.7.1", "<u@here.test>: Recipient address rejected: Access denied")


async def test_warn_if_reject_logs_what_it_would_have_said_and_goes_on(compiled, query, sink):
    checks = compiled(words("warn_if_reject reject permit"))
    assert await result(run(checks, query)) is PERMIT
    assert sink.lines == [
        (
            "smtpd: NOQUEUE: reject_warning: RCPT from unknown[192.0.2.10]: 554 5.7.1 <u@here.test>: "
            "Recipient address rejected: Access denied; from=<a@example.net> to=<u@here.test> proto=ESMTP "
            "helo=<x>"
        )
    ]


async def test_warn_if_reject_covers_a_whole_class(compiled, query, sink):
    checks = compiled(words("warn_if_reject both"), {"both": ("reject", "defer", "permit")})
    assert await result(run(checks, query)) is PERMIT
    assert [line.split(": ")[4][:9] for line in sink.lines] == ["554 5.7.1", "450 4.3.2"]
    assert not query.warn


async def test_nothing_further_is_asked_once_both_deferrals_stand(compiled, query):
    checks = compiled(words("defer_if_permit defer_if_reject reject"))
    assert await result(run(checks, query)) is None
    assert query.put_off is not None


async def test_nothing_is_asked_about_a_message_that_is_thrown_away(compiled, query):
    query.discarded = True
    assert await result(run(compiled(words("reject")), query)) is None


async def test_lists_in_lists_have_an_end(compiled, query):
    query.depth = 101
    with pytest.raises(ServerError, match="a table causes unreasonable recursion"):
        await result(run_inside(compiled(words("permit")), query, "a table"))
    query.depth = 100
    assert await result(run_inside(compiled(words("permit")), query, "a table")) is PERMIT
    assert query.depth == 100


def waits(check):
    """Return a check that gives the same verdict a turn of the loop later."""

    async def late(query):
        await asyncio.sleep(0)
        return await result(check(query))

    return late


LISTS = [
    "permit reject",
    "reject permit",
    "defer_if_permit permit",
    "defer_if_permit defer_if_reject reject",
    "defer_if_reject reject",
    "warn_if_reject reject warn_if_reject permit reject",
    "warn_if_reject both defer",
    "both permit",
    "reject_non_fqdn_recipient both",
    "broken",
]


@pytest.mark.parametrize("listed", LISTS)
async def test_it_is_the_same_whichever_checks_wait(compiled, query, sink, listed):
    """One list, with every choice of the checks that wait: verdict, deferrals and log do not change."""
    checks = compiled(words(listed), {"both": ("defer_if_permit", "reject")})
    ends = set()
    for choice in itertools.product((False, True), repeat=len(checks)):
        fresh = Query(query.session, "RCPT", query.log, soft_bounce=False)
        fresh.recipient = "u@here.test"
        fresh.begin("u@here.test", RECIPIENT)
        sink.lines.clear()
        chosen = tuple(waits(check) if late else check for check, late in zip(checks, choice, strict=True))
        try:
            end = await result(run(chosen, fresh))
        except ServerError as error:
            end = str(error)
        decided = fresh.notes is not None and [at for inner, at in fresh.notes.path if inner is chosen] != []
        ends.add((end, fresh.put_off, fresh.doubt, fresh.depth, fresh.warn, decided, tuple(sink.lines)))
    assert len(ends) == 1


async def test_a_list_inside_another_has_its_depth_while_it_waits(compiled, query):
    seen = []

    async def look(asked):
        await asyncio.sleep(0)
        seen.append(asked.depth)

    async def fail(_asked):
        await asyncio.sleep(0)
        raise ServerError("no")

    assert await result(run_inside((look,), query, "a table")) is None
    with pytest.raises(ServerError):
        await result(run_inside((fail,), query, "a table"))
    assert (seen, query.depth) == ([1], 0)
