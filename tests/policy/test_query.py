"""A refusal as the client hears it and as the log has it."""

from __future__ import annotations

import pytest

from postroad.base.log import ListSink, Log
from postroad.model.reply import Reply
from postroad.policy.query import RECIPIENT, Query, context_of, queue_name


@pytest.fixture
def sink():
    return ListSink()


@pytest.fixture
def query(session, sink):
    made = Query(session, "RCPT", Log(sink), soft_bounce=False)
    made.begin("u@here.test", RECIPIENT)
    return made


@pytest.mark.parametrize("code", [200, 354, 399, 600, 0])
def test_a_code_that_refuses_nothing_becomes_450(query, sink, code):
    assert query.refuse(Reply(code, "5.7.1", "no")) == Reply(450, "4.7.1", "Service unavailable")
    assert "SMTP reply code configuration error" in sink.lines[0]


@pytest.mark.parametrize("status", ["", "5.7", "x", "5.7.1.1", "3.1.1"])
def test_a_malformed_status_becomes_450(query, sink, status):
    assert query.refuse(Reply(550, status, "no")) == Reply(450, "4.7.1", "Service unavailable")
    assert "DSN detail code configuration error" in sink.lines[0]


def test_the_status_follows_the_code(query):
    assert query.refuse(Reply(450, "5.7.25", "no")).status == "4.7.25"
    assert query.refuse(Reply(554, "4.7.25", "no")).status == "5.7.25"


def test_soft_bounce_changes_both_codes(session):
    soft = Query(session, "RCPT", Log(ListSink()), soft_bounce=True)
    assert soft.refuse(Reply(554, "5.7.1", "no")) == Reply(454, "4.7.1", "no")


def test_a_refusal_is_one_line_of_at_most_510_characters(query):
    reply = query.refuse(Reply(554, "5.7.1", "a\r\nb\x00c" + "x" * 2000))
    assert reply.text.startswith("a  b c")
    assert len(reply.line()) == 510


def test_a_doubt_replaces_a_5xx_once_and_no_4xx(query):
    query.defer_if_reject(Reply(450, "4.7.1", "later"))
    assert query.refuse(Reply(450, "4.3.2", "now")).text == "now"
    assert query.refuse(Reply(554, "5.7.1", "no")).text == "later"
    assert query.refuse(Reply(554, "5.7.1", "no")).text == "no"


def test_the_first_deferral_is_kept(query):
    assert query.defer_if_permit(Reply(450, "4.7.1", "first")) is None
    assert query.defer_if_permit(Reply(450, "4.7.1", "second")) is None
    assert query.put_off.text == "first"


def test_under_warn_if_reject_a_deferral_is_a_refusal_that_is_only_logged(query, sink):
    query.warn = True
    reply = query.defer_if_permit(Reply(450, "4.7.1", "later"))
    assert query.refuse(reply) is None
    assert query.put_off is None
    assert "reject_warning: RCPT from unknown[192.0.2.10]: 450 4.7.1 later;" in sink.lines[0]


def test_errors_of_ours_are_not_hidden_by_warn_if_reject(query):
    query.warn = True
    assert query.refuse(Reply(451, "4.3.5", "Server configuration error"), always=True).code == 451


def test_the_log_has_what_is_known_and_quotes_what_needs_it(session, new_session):
    assert context_of(session, "") == " from=<a@example.net> proto=ESMTP helo=<x>"
    bare = new_session(sender=None, helo="")
    assert context_of(bare, "a b@here.test") == ' to=<"a b"@here.test> proto=ESMTP'


def test_the_queue_id_stands_in_the_log_once_there_is_one(session):
    assert queue_name(session) == "NOQUEUE"
    session.transaction.queue_key = 0xABC
    assert queue_name(session) == "000000000000ABC"
