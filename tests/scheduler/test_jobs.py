"""Jobs handed to agents and their reports, without the scheduler around them."""

import pytest

from postroad.base.clock import TestClock
from postroad.base.log import ListSink, Log
from postroad.base.params import settings_of
from postroad.model.job import Attempt
from postroad.model.message import Message, Recipient, Text
from postroad.model.outcome import Outcome
from postroad.model.params import params as model_params
from postroad.scheduler.jobs import Jobs
from postroad.scheduler.params import params as scheduler_params
from postroad.scheduler.transport import TransportLanes

OK = Outcome("2.0.0", "ok", "h[1]:25")
DOWN = Outcome("4.4.1", "connect to h[1]:25: Connection refused")


class World:
    gathers = 1

    def __init__(self, **texts):
        settings = settings_of([model_params, scheduler_params], **texts)
        self.clock, self.sink = TestClock(), ListSink()
        self.room = 10_000
        self.begun, self.ended, self.told, self.called, self.written = [], [], [], [], []
        self.content_error = None
        self.transport = TransportLanes("smtp", self, settings, int(texts.get("processes", 0)))
        self.jobs = Jobs(
            self,
            Log(self.sink),
            self.clock,
            room=lambda: self.room,
            ended=self._ended,
            call_back=self.called.append,
        )
        self.jobs.outcomes = self
        self.jobs.dead_time = 300.0

    def _ended(self, attempt):
        attempt.pending -= 1
        self.ended.append(attempt.message.key)

    def deliver(self, job, report):
        self.begun.append((job, report))

    def report(self, job):
        self.told += [(job.message.key, outcome.status) for outcome in job.outcomes]

    def progress(self, message):
        self.written.append(message.key)

    def content(self, message):
        if self.content_error:
            raise self.content_error
        return Text(b"stored\r\n")

    def put(self, key, *, nexthop="x", sender="s@a", content=True):
        message = Message(key, sender, [Recipient(f"r@{nexthop}")], 0.0, Text(b"x\r\n") if content else None)
        attempt = Attempt(message, 0.0, 0.0)
        lane = self.transport.lane(nexthop, self.clock.steady())
        backlog = self.jobs.put(self.transport, lane, attempt, message.recipients, self.clock.steady())
        self.jobs.dispatch(self.transport)
        return backlog

    def answer(self, outcome=OK, site_failure=None):
        job, report = self.begun.pop(0)
        job.all(outcome)
        job.site_failure = site_failure
        report(job)
        return job, report

    @property
    def keys(self):
        return [job.message.key for job, _ in self.begun]


def test_a_job_begins_at_once_where_nothing_waits_and_the_next_when_it_has_ended():
    w = World(initial_destination_concurrency="1", default_destination_concurrency_limit="1")
    assert [w.put(1), w.put(2)] == [None, None]
    assert w.keys == [1]
    w.answer()
    assert (w.keys, w.ended, w.told) == ([2], [1], [(1, "2.0.0")])


def test_a_report_that_comes_twice_counts_once_and_a_silent_agent_defers():
    w = World()
    w.put(1)
    job, report = w.begun[0]
    report(job)
    report(job)
    assert w.told == [(1, "4.3.0")]
    assert w.transport.active == 0


def test_a_content_that_cannot_be_read_defers():
    w = World()
    w.put(1, content=False)
    assert w.begun[0][0].content.data == b"stored\r\n"
    w.content_error = OSError("gone")
    w.put(2, content=False)
    assert w.told == [(2, "4.3.0")]
    assert "transport smtp failed" in w.sink.lines[0]


def test_a_dead_site_is_refused_until_its_time_is_over():
    w = World(initial_destination_concurrency="1")
    w.put(1)
    w.put(2)
    w.answer(DOWN, DOWN)
    assert w.told == [(2, "4.4.1"), (1, "4.4.1")]
    w.put(3)
    assert w.told[-1] == (3, "4.4.1")
    w.clock.time += 301
    w.put(4)
    assert w.keys == [4]


def test_a_success_revives_a_site_that_is_thought_dead():
    w = World(initial_destination_concurrency="2")
    w.put(1)
    w.put(2)
    lane = w.transport.lanes["x"]
    lane.dead = DOWN
    w.answer()
    assert lane.dead is None


def test_what_is_done_is_written_while_other_jobs_of_the_message_are_open():
    w = World()
    w.put(1)
    job, report = w.begun[0]
    job.attempt.pending = 2
    job.new_messages = []
    report(job)
    assert w.written == [1]


def test_new_messages_of_a_job_are_its_attempts():
    w = World()
    w.put(1)
    job, report = w.begun[0]
    job.new_messages = new = [object()]
    attempt = job.attempt
    report(job)
    assert attempt.new_messages == new


async def test_a_rate_delay_is_a_rest_after_each_delivery():
    w = World(default_destination_rate_delay="10s")
    w.put(1)
    w.put(2)
    w.answer()
    assert w.keys == []
    w.jobs._rested(w.transport, w.transport.lanes["x"])
    assert w.keys == [2]


# --- backlogs


@pytest.fixture
def full():
    """A lane where one sender has as much as he may; one more of his was parked."""
    w = World(default_destination_concurrency_limit="1")
    w.room = 400
    for key in range(102):
        assert w.put(key, sender="bulk@a") is None
    w.backlog = w.put(110, sender="bulk@a")
    w.backlog.put(110)
    return w


def test_what_has_no_place_is_not_begun_and_the_caller_gets_the_backlog(full):
    assert full.transport.lanes["x"].parked == {"bulk@a": full.backlog}
    assert full.put(200, sender="ann@b") is None
    full.answer()
    full.answer()
    assert 200 in full.keys or 200 in full.ended


def test_a_backlog_is_called_back_when_little_of_it_is_left_and_then_has_its_place(full):
    full.answer()
    assert full.called == []
    full.answer()
    assert full.called == [full.backlog]
    full.jobs.recalled[110] = full.backlog
    full.room = 0
    assert full.put(110, sender="bulk@a") is None


def test_what_was_parked_for_a_site_that_is_dead_by_now_is_tried_again(full):
    full.transport.lanes["x"].window.size = 1
    full.answer(DOWN, DOWN)
    assert full.called == [full.jobs.given_up]
    assert full.jobs.given_up.take(9) == [110]


def test_all_can_be_asked_whether_they_are_hungry(full):
    full.jobs.call_back_all([full.transport])
    assert full.called == []
    full.transport.drain(full.transport.lanes["x"])
    full.jobs.call_back_all([full.transport])
    assert full.called == [full.backlog]
