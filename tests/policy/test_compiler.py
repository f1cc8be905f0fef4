"""Restrictions become checks; classes and lists from tables are compiled when they are reached."""

from __future__ import annotations

import pytest

from postroad.base.log import Log
from postroad.base.tasks import result
from postroad.policy.compiler import _KEPT
from postroad.policy.evaluation import run
from postroad.policy.query import RECIPIENT, Query
from postroad.policy.verdict import PERMIT, ServerError


@pytest.fixture
def answer(session, sink):
    """Return a function that runs a list."""

    async def of(checks):
        query = Query(session, "RCPT", Log(sink), soft_bounce=False)
        query.recipient = "u@here.test"
        query.begin("u@here.test", RECIPIENT)
        return await result(run(checks, query))

    return of


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["no_such"], 'unknown smtpd restriction: "no_such"'),
        (["check_sender_access", "x"], 'restriction check_sender_access: bad argument "x": need maptype'),
        (["check_sender_access"], 'restriction check_sender_access: bad argument "": need maptype'),
        (["hash:/x"], 'before restriction "hash:/x"'),
        (["sleep", "long"], "restriction sleep must be followed by number"),
        (["a"], "a causes unreasonable recursion"),
    ],
)
async def test_what_cannot_be_used_is_an_error_when_it_is_reached(services, answer, words, message):
    with pytest.raises(ServerError, match=message):
        await answer(services({"a": ("a", "a")}).lists.compile(words))


def test_a_table_that_cannot_be_opened_is_an_error_at_once(services):
    with pytest.raises(ValueError, match="unsupported dictionary type: nosuch"):
        services().lists.compile(["check_sender_access", "nosuch:x"])
    with pytest.raises(ValueError, match="unsupported dictionary type: nosuch"):
        services({"a": ("check_sender_access", "nosuch:x")}).lists.try_classes()


async def test_a_class_speaks_with_the_tables_of_the_list_it_stands_in(services, answer):
    lists = services({"a": ("inline:{ {u@here.test=REJECT} }",)}).lists
    assert (await answer(lists.compile(["a"], "check_recipient_access"))).code == 554
    assert await answer(lists.compile(["a"], "check_sender_access")) is None


async def test_a_list_from_a_table_is_compiled_once_and_not_kept_for_ever(services, answer):
    lists = services().lists
    first = lists.from_table("reject_unlisted_recipient, permit", "")
    assert lists.from_table("reject_unlisted_recipient, permit", "") is first
    assert await answer(first) is PERMIT
    for number in range(_KEPT):
        lists.from_table(f"permit, {number}", "")
    assert lists.from_table("reject_unlisted_recipient, permit", "") is not first


def test_a_list_from_a_table_that_cannot_be_read_is_an_error(services):
    with pytest.raises(ServerError, match="not closed"):
        services().lists.from_table("permit {", "")
