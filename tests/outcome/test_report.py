from postroad.base.clock import TestClock
from postroad.base.log import ListSink, Log
from postroad.model.job import Attempt, Job
from postroad.model.message import Message, Recipient, Text
from postroad.model.outcome import Outcome
from postroad.outcome.report import DeliveryLog


def line(outcome, *, original="", soft=False, transport="relay"):
    clock, sink = TestClock(), ListSink()
    log = Log(sink)
    message = Message(7, "s@x", [Recipient("r@y", original)], clock.now() - 1.3, Text(b"x\r\n"))
    job = Job(message, message.recipients, transport, "y", message.content)
    job.attempt = Attempt(message, clock.steady(), clock.now())
    clock.advance(0.05)
    job.begun = clock.steady()
    clock.advance(2)
    DeliveryLog(log, clock, {"relay": ("smtp", log)}, 2).line(
        job.attempt, job, message.recipients[0], outcome, soft=soft
    )
    return sink.lines[0]


def test_the_line_has_postfix_order_and_times():
    outcome = Outcome("2.0.0", "250 Ok", "h[1.2.3.4]:25")
    outcome.setup, outcome.transfer, outcome.reused = 0.9, 1.1, 3
    assert line(outcome, original="o@y") == (
        "smtp: 000000000000007: to=<r@y>, orig_to=<o@y>, relay=h[1.2.3.4]:25, conn_use=3, delay=3.3, "
        "delays=1.3/0.05/0.9/1.1, dsn=2.0.0, status=sent (250 Ok)"
    )


def test_each_fate_has_its_word():
    assert "status=deferred (" in line(Outcome("4.0.0", "x"))
    assert "status=bounced (" in line(Outcome("5.0.0", "x"))
    assert "status=SOFTBOUNCE (" in line(Outcome("5.0.0", "x"), soft=True)


def test_what_no_agent_said_is_said_by_error():
    assert line(Outcome("4.0.0", "x"), transport="nosuch").startswith("error: ")


def test_an_original_address_that_differs_in_case_alone_is_not_said():
    assert "orig_to" not in line(Outcome("2.0.0", "x"), original="R@Y")


def test_what_soft_bounce_keeps_is_a_deferral_in_its_code_too():
    assert "dsn=4.1.1, status=SOFTBOUNCE (" in line(Outcome("5.1.1", "x"), soft=True)
