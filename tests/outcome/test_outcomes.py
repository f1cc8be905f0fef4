import importlib.util
from pathlib import Path

import pytest

from postroad.base.errors import TableUnavailable
from postroad.model.job import Attempt
from postroad.model.message import Recipient
from postroad.model.outcome import Outcome

spec = importlib.util.spec_from_file_location("outcome_bench", Path(__file__).with_name("bench.py"))
bench = importlib.util.module_from_spec(spec)
spec.loader.exec_module(bench)
Bench = bench.Bench

SENT = ("2.0.0", "250 2.0.0 Ok: queued as X", "mx.y[192.0.2.1]:25")
LATER = ("4.4.1", "connect to mx.y[192.0.2.1]:25: Connection refused", "none")
NEVER = ("5.1.1", "host mx.y[192.0.2.1] said: 550 no (in reply to RCPT TO command)", "mx.y[192.0.2.1]:25")


async def test_a_delivered_message_leaves_the_queue_and_the_log_says_so():
    b = Bench()
    message = b.message()
    assert b.attempt(message, Outcome(*SENT)) == []
    assert message.recipients[0].done
    assert b.store.settled[0].notices == []
    assert b.sink.lines == [
        (
            "smtp: 000000000000007: to=<r@y>, relay=mx.y[192.0.2.1]:25, delay=0, delays=0/0/0/0, dsn=2.0.0, "
            "status=sent (250 2.0.0 Ok: queued as X)"
        ),
        "qmgr: 000000000000007: removed",
    ]


async def test_a_deferral_waits_by_the_law_and_keeps_its_reason():
    b = Bench()
    message = b.message(age=1000)
    b.attempt(message, Outcome(*LATER))
    assert b.store.settled[0].due == b.clock.now() + 1000
    assert message.recipients[0].reason == LATER[1]
    assert not message.recipients[0].done
    assert not any("removed" in line for line in b.sink.lines)


async def test_a_failure_is_told_to_the_sender_in_the_same_transaction():
    b = Bench()
    message = b.message()
    [notice] = b.attempt(message, Outcome(*NEVER))
    assert b.store.settled[0].notices == [notice]
    assert message.recipients[0].done
    assert notice.sender == ""
    assert [r.address for r in notice.recipients] == ["a@x"]
    assert b"Undelivered Mail Returned to Sender" in notice.content.data
    assert "bounce: 000000000000007: sender non-delivery notification: 0000000000003E8" in b.sink.lines


async def test_a_failure_among_others_leaves_the_others_waiting():
    b = Bench()
    message = b.message("r@y", "s@y", "t@y")
    [notice] = b.attempt(message, Outcome(*NEVER), Outcome(*LATER), Outcome(*SENT))
    assert [r.done for r in message.recipients] == [True, False, True]
    assert b"<r@y>" in notice.content.data
    assert b"<s@y>" not in notice.content.data


async def test_no_notice_about_a_notice():
    b = Bench()
    message = b.message(sender="")
    assert b.attempt(message, Outcome(*NEVER)) == []
    assert message.recipients[0].done


async def test_the_postmaster_hears_of_a_double_bounce_if_asked_to():
    b = Bench(notify_classes="2bounce")
    [notice] = b.attempt(b.message(sender=""), Outcome(*NEVER))
    assert notice.sender == "double-bounce@mx.x"
    assert notice.recipients[0].address == "postmaster"


async def test_a_double_bounce_that_fails_ends_there():
    b = Bench(notify_classes="2bounce")
    assert b.attempt(b.message(sender="double-bounce@mx.x"), Outcome(*NEVER)) == []


async def test_the_postmaster_gets_a_copy_of_bounces_if_asked_to():
    b = Bench(notify_classes="bounce")
    notices = b.attempt(b.message(), Outcome(*NEVER))
    assert [n.recipients[0].address for n in notices] == ["a@x", "postmaster"]
    assert b"body" in notices[0].content.data
    assert b"body" not in notices[1].content.data


@pytest.mark.parametrize(
    ("notify", "told"), [(0, True), (1, False), (2, False), (4, True), (8, False), (4 | 8, True)]
)
async def test_notify_decides_whether_a_failure_is_told(notify, told):
    b = Bench()
    message = b.message(Recipient("r@y", notify=notify))
    assert bool(b.attempt(message, Outcome(*NEVER))) is told
    assert message.recipients[0].done


@pytest.mark.parametrize(
    ("notify", "passed_on", "told"),
    [(0, False, False), (2, False, True), (2, True, False), (4, False, False)],
)
async def test_a_success_is_told_if_asked_for_and_nobody_else_will(notify, passed_on, told):
    b = Bench()
    outcome = Outcome(*SENT, action="relayed")
    outcome.notified = passed_on
    notices = b.attempt(b.message(Recipient("r@y", notify=notify)), outcome)
    assert bool(notices) is told
    if told:
        assert b"Action: relayed" in notices[0].content.data


async def test_ret_hdrs_returns_the_header_alone():
    b = Bench()
    message = b.message()
    message.ret = "HDRS"
    [notice] = b.attempt(message, Outcome(*NEVER))
    assert b"text/rfc822-headers" in notice.content.data
    assert b"\r\nbody\r\n" not in notice.content.data


@pytest.mark.parametrize(
    ("sender", "age", "expired"), [("a@x", 432000, True), ("a@x", 431999, False), ("", 432000, True)]
)
async def test_after_its_lifetime_a_message_is_returned(sender, age, expired):
    b = Bench()
    message = b.message(sender=sender, age=age)
    notices = b.attempt(message, Outcome(*LATER))
    assert message.recipients[0].done is expired
    assert bool(notices) is (expired and bool(sender))
    line = f"qmgr: 000000000000007: from=<{sender}>, status=expired, returned to sender"
    assert (line in b.sink.lines) is expired


async def test_bounces_have_a_lifetime_of_their_own():
    b = Bench(bounce_queue_lifetime="1d")
    message = b.message(sender="", age=90000)
    b.attempt(message, Outcome(*LATER))
    assert message.recipients[0].done


async def test_soft_bounce_defers_what_would_bounce():
    b = Bench(soft_bounce="yes")
    message = b.message()
    assert b.attempt(message, Outcome(*NEVER)) == []
    assert not message.recipients[0].done
    assert "dsn=4.1.1, status=SOFTBOUNCE" in b.sink.lines[0]


async def test_a_late_message_is_warned_about_once():
    b = Bench(delay_warning_time="4h")
    message = b.message(age=5 * 3600)
    [notice] = b.attempt(message, Outcome(*LATER))
    assert b"THIS IS A WARNING ONLY" in notice.content.data
    assert "bounce: 000000000000007: sender delay notification: 0000000000003E8" in b.sink.lines
    assert b.attempt(message, Outcome(*LATER)) == []


@pytest.mark.parametrize("age", [3 * 3600])
async def test_a_message_that_is_not_late_yet_is_not_warned_about(age):
    b = Bench(delay_warning_time="4h")
    assert b.attempt(b.message(age=age), Outcome(*LATER)) == []


async def test_a_notice_that_cannot_be_made_keeps_the_message():
    b = Bench()
    b.broken = TableUnavailable("virtual is away")
    message = b.message()
    assert b.attempt(message, Outcome(*NEVER)) == []
    assert not message.recipients[0].done
    assert not b.store.settled[0].notices


async def test_a_settlement_that_fails_queues_nothing():
    b = Bench()
    b.store.error = LookupError("lease lost")
    assert b.attempt(b.message(), Outcome(*NEVER)) == []
    assert not any("removed" in line for line in b.sink.lines)


async def test_an_expired_by_force_message_is_returned_at_once():
    b = Bench()
    message = b.message()
    message.attributes["expired"] = "1"
    assert len(b.attempt(message, Outcome(*LATER))) == 1
    assert any("status=force-expired" in line for line in b.sink.lines)


@pytest.mark.parametrize(("interrupted", "returned"), [(False, True), (True, False)])
async def test_an_attempt_that_an_operator_or_the_end_interrupts_gives_nothing_up(interrupted, returned):
    b = Bench()
    message = b.message(age=500_000)
    message.recipients[0].reason, message.recipients[0].status = "an older one", "4.4.1"
    attempt = Attempt(message, b.clock.steady(), b.clock.now())
    attempt.interrupted = interrupted
    queued = []
    b.outcomes.finish(attempt, queued.extend)
    assert bool(queued) is returned
    assert message.recipients[0].done is returned
