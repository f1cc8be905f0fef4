"""Lists are run in order, with warn_if_reject and classes."""

from __future__ import annotations

import pytest

from postroad.base.log import Log
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
    assert await run(compiled([]), query) is None


async def test_the_first_answer_counts(compiled, query):
    assert await run(compiled(words("permit reject")), query) is PERMIT
    answer = await run(compiled(words("reject permit")), query)
    assert answer == Reply(554, "5.7.1", "<u@here.test>: Recipient address rejected: Access denied")


async def test_warn_if_reject_logs_what_it_would_have_said_and_goes_on(compiled, query, sink):
    checks = compiled(words("warn_if_reject reject permit"))
    assert await run(checks, query) is PERMIT
    assert sink.lines == [
        (
            "smtpd: NOQUEUE: reject_warning: RCPT from unknown[192.0.2.10]: 554 5.7.1 <u@here.test>: "
            "Recipient address rejected: Access denied; from=<a@example.net> to=<u@here.test> proto=ESMTP "
            "helo=<x>"
        )
    ]


async def test_warn_if_reject_covers_a_whole_class(compiled, query, sink):
    checks = compiled(words("warn_if_reject both"), {"both": ("reject", "defer", "permit")})
    assert await run(checks, query) is PERMIT
    assert [line.split(": ")[4][:9] for line in sink.lines] == ["554 5.7.1", "450 4.3.2"]
    assert not query.warn


async def test_nothing_further_is_asked_once_both_deferrals_stand(compiled, query):
    checks = compiled(words("defer_if_permit defer_if_reject reject"))
    assert await run(checks, query) is None
    assert query.put_off is not None


async def test_nothing_is_asked_about_a_message_that_is_thrown_away(compiled, query):
    query.discarded = True
    assert await run(compiled(words("reject")), query) is None


async def test_lists_in_lists_have_an_end(compiled, query):
    query.depth = 101
    with pytest.raises(ServerError, match="a table causes unreasonable recursion"):
        await run_inside(compiled(words("permit")), query, "a table")
    query.depth = 100
    assert await run_inside(compiled(words("permit")), query, "a table") is PERMIT
    assert query.depth == 100
