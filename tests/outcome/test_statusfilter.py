"""What agents report, in other words."""

from __future__ import annotations

import asyncio

import pytest

from postroad.base.errors import TableUnavailable
from postroad.base.log import ListSink, Log
from postroad.base.params import settings_of
from postroad.model.job import Job
from postroad.model.message import Message, Recipient
from postroad.model.outcome import Outcome
from postroad.outcome.params import params
from postroad.outcome.statusfilter import FilteredAgent, StatusFilter, status_filter
from postroad.tables.context import TableContext

GONE = TableUnavailable("table regexp:f: no such file")


@pytest.fixture
def sink():
    return ListSink()


@pytest.fixture
def make(sink):
    """Return a function that makes a filter of answers, by the status of the line; ``waits``: not at once."""

    def filtering(answers, *, waits=False):
        async def find(line):
            find.asked.append(line)
            if waits:
                future = asyncio.get_running_loop().create_future()
                asyncio.get_running_loop().call_soon(future.set_result, None)
                await future
            answer = answers.get(line[:5])
            if isinstance(answer, Exception):
                raise answer
            return answer

        find.asked = []
        made = StatusFilter(find, parameter="smtp_delivery_status_filter", program="smtp", log=Log(sink))
        return made, find

    return filtering


class FakeAgent:
    gathers = 7

    def __init__(self, *outcomes):
        self.outcomes = outcomes
        self.closed = False
        self.moves = ""

    def deliver(self, job, report):
        job.outcomes = list(self.outcomes)
        job.transport = self.moves or job.transport
        report(job)

    async def close(self):
        self.closed = True


def a_job(count=1):
    recipients = [Recipient(f"{number}@x.test") for number in range(count)]
    message = Message(1, "a@y.test", recipients, 0.0)
    return Job(message, recipients, "smtp", "x.test", None)


async def results(agent, job):
    done = asyncio.get_running_loop().create_future()
    agent.deliver(job, done.set_result)
    return [each and (each.status, each.text) for each in (await done).outcomes]


@pytest.mark.parametrize(
    ("status", "answer", "made"),
    [
        ("4.2.1", "5.2.1 other words", ("5.2.1", "other words")),
        ("5.1.1", "4.1.1 other words", ("4.1.1", "other words")),
        ("5.1.1", "5.7.100   spaced ", ("5.7.100", "spaced")),
        ("2.0.0", "2.9.9 hidden", ("2.9.9", "hidden")),
        ("2.0.0", "2.9.9", ("2.9.9", "as it was")),
        ("2.0.0", None, ("2.0.0", "as it was")),
    ],
)
async def test_status_and_text_are_replaced(make, sink, status, answer, made):
    filtering, find = make({status: answer})
    outcome = Outcome(status, "as it was", "x[192.0.2.1]:25", remote="x", reply="550 no")
    outcome.transfer = 3.0
    found = await filtering.outcome(outcome)
    assert (found.status, found.text) == made
    assert (found.relay, found.remote, found.reply, found.transfer) == ("x[192.0.2.1]:25", "x", "550 no", 3.0)
    assert (outcome.status, outcome.text) == (status, "as it was")
    assert find.asked == [f"{status} as it was"]
    assert sink.lines == []


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        ("2.0.0", "5.0.0 no"),
        ("2.0.0", "4.0.0 later"),
        ("5.1.1", "2.1.1 yes"),
        ("4.2.1", "2.1.1 yes"),
        ("5.1.1", "words alone"),
        ("5.1.1", "5.1 short"),
        ("5.1.1", "5.1.1234 long"),
        ("5.1.1", "3.1.1 what"),
    ],
)
async def test_no_success_becomes_a_failure_or_the_reverse(make, sink, status, answer):
    filtering, _ = make({status: answer})
    outcome = Outcome(status, "as it was")
    assert await filtering.outcome(outcome) is outcome
    assert sink.lines == [f"smtp: warning: smtp_delivery_status_filter: bad status code: {answer}"]


@pytest.mark.parametrize(("status", "made"), [("2.0.0", "2.0.0"), ("4.2.1", "4.2.1"), ("5.1.1", "4.1.1")])
async def test_a_filter_that_cannot_be_asked_bounces_nothing(make, sink, status, made):
    filtering, _ = make({status: GONE})
    found = await filtering.outcome(Outcome(status, "as it was"))
    assert (found.status, found.text) == (made, "as it was")
    assert sink.lines == [
        f'smtp: warning: smtp_delivery_status_filter lookup error for "{status} as it was": {GONE}'
    ]


@pytest.mark.parametrize("waits", [False, True])
async def test_an_agents_reports_are_filtered(make, waits):
    filtering, find = make({"4.2.1": "5.2.1 no more"}, waits=waits)
    shared = Outcome("4.2.1", "later")
    inner = FakeAgent(shared, None, Outcome("2.0.0", "taken"), shared)
    agent = FilteredAgent(inner, "smtp", filtering)
    assert agent.gathers == 7
    made = ("5.2.1", "no more")
    assert await results(agent, a_job(4)) == [made, None, ("2.0.0", "taken"), made]
    assert find.asked == ["4.2.1 later", "2.0.0 taken"]
    assert shared.status == "4.2.1"
    await agent.close()
    assert inner.closed


async def test_mail_that_was_handed_on_is_reported_by_another(make):
    filtering, find = make({"4.2.1": "5.2.1 no more"})
    inner = FakeAgent(Outcome("4.2.1", "later"))
    inner.moves = "local"
    assert await results(FilteredAgent(inner, "smtp", filtering), a_job()) == [("4.2.1", "later")]
    assert find.asked == []


async def test_a_defect_bounces_nothing(make, sink):
    filtering, _ = make({"5.1.1": ValueError("a defect")})
    inner = FakeAgent(Outcome("2.0.0", "taken"), Outcome("5.1.1", "no"), None)
    agent = FilteredAgent(inner, "smtp", filtering)
    assert await results(agent, a_job(3)) == [("2.0.0", "taken"), ("4.1.1", "no"), None]
    assert "a defect" in sink.lines[0]


async def test_each_agent_has_the_default_or_its_own(sink):
    texts = {"default_delivery_status_filter": "static:{5.9.9 default}", "lmtp_delivery_status_filter": ""}
    texts["virtual_delivery_status_filter"] = "static:{5.9.9 virtual}"
    settings, log, tables = settings_of([params], **texts), Log(sink), TableContext()
    for program, text in (("smtp", "default"), ("local", "default"), ("virtual", "virtual")):
        made = await status_filter(settings, program, tables, log).outcome(Outcome("4.0.0", "x"))
        assert (made.status, made.text) == ("5.9.9", text)
    for program in ("lmtp", "error", "discard"):
        assert status_filter(settings, program, tables, log) is None
