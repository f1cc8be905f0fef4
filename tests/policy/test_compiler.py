"""Words of main.cf become checks, in order, with warn_if_reject and classes."""

from __future__ import annotations

import pytest

from postroad.base.log import ListSink, Log
from postroad.model.reply import Reply
from postroad.policy.compiler import Sort, classes_of, compile_list, is_guarded, read_list, run
from postroad.policy.query import RECIPIENT, Query
from postroad.policy.services import Services
from postroad.policy.verdict import PERMIT, ServerError


@pytest.fixture
def sink():
    return ListSink()


@pytest.fixture
def services(settings, sink):
    return Services(
        settings(),
        networks=None,
        router=None,
        recipients=None,
        own_address=lambda _: False,
        log=Log(sink),
    )


@pytest.fixture
def query(session, sink):
    made = Query(session, "RCPT", Log(sink), soft_bounce=False)
    made.recipient = "u@here.test"
    made.begin("u@here.test", RECIPIENT)
    return made


def words(text: str) -> list[str]:
    return text.split()


def test_an_argument_belongs_to_the_word_before_it():
    items = list(read_list(words("check_client_access hash:/x permit"), {}))
    assert [(item.name, item.argument) for item in items] == [
        ("check_client_access", "hash:/x"),
        ("permit", ""),
    ]


def test_names_are_read_without_regard_to_case_except_those_of_classes():
    items = list(read_list(words("PERMIT Mine mine"), {"Mine": ("permit",)}))
    assert [item.sort for item in items] == [Sort.WORKS, Sort.CLASS, Sort.UNKNOWN]


def test_warn_if_reject_is_for_one_restriction():
    items = list(read_list(words("warn_if_reject reject defer"), {}))
    assert [(item.name, item.warn) for item in items] == [("reject", True), ("defer", False)]


def test_a_class_needs_a_definition():
    assert classes_of(("a",), {"a": "permit, reject"}) == {"a": ("permit", "reject")}
    with pytest.raises(ValueError, match="restriction class `b' needs a definition"):
        classes_of(("b",), {})


def test_a_class_that_refers_to_itself_guards_nothing_and_fails_when_run():
    assert not is_guarded(words("a"), {"a": ("a",)})


async def test_a_class_that_refers_to_itself_ends_in_an_error(services, query):
    with pytest.raises(ServerError, match="refers to itself"):
        await run(compile_list(["a"], services, {"a": ("a",)}), query)


async def test_an_empty_list_says_nothing(services, query):
    assert await run(compile_list([], services, {}), query) is None


async def test_the_first_answer_counts(services, query):
    assert await run(compile_list(words("permit reject"), services, {}), query) is PERMIT
    answer = await run(compile_list(words("reject permit"), services, {}), query)
    assert answer == Reply(554, "5.7.1", "<u@here.test>: Recipient address rejected: Access denied")


async def test_warn_if_reject_logs_what_it_would_have_said_and_goes_on(services, query, sink):
    checks = compile_list(words("warn_if_reject reject permit"), services, {})
    assert await run(checks, query) is PERMIT
    assert sink.lines == [
        (
            "smtpd: NOQUEUE: reject_warning: RCPT from unknown[192.0.2.10]: 554 5.7.1 <u@here.test>: "
            "Recipient address rejected: Access denied; from=<a@example.net> to=<u@here.test> proto=ESMTP "
            "helo=<x>"
        )
    ]


async def test_warn_if_reject_covers_a_whole_class(services, query, sink):
    checks = compile_list(words("warn_if_reject both"), services, {"both": ("reject", "defer", "permit")})
    assert await run(checks, query) is PERMIT
    assert [line.split(": ")[4][:9] for line in sink.lines] == ["554 5.7.1", "450 4.3.2"]
    assert not query.warn


async def test_nothing_further_is_asked_once_both_deferrals_stand(services, query):
    checks = compile_list(words("defer_if_permit defer_if_reject reject"), services, {})
    assert await run(checks, query) is None
    assert query.put_off is not None
