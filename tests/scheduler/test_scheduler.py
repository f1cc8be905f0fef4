"""The scheduler against fakes of its ports, on a clock that the test moves."""

import asyncio

import pytest

from patience import turns, until
from postroad.base.clock import TestClock
from postroad.base.log import ListSink, Log
from postroad.base.params import settings_of
from postroad.model.message import Message, Recipient, Text
from postroad.model.outcome import Outcome
from postroad.model.params import params as model_params
from postroad.model.route import AddressClass, Route
from postroad.scheduler.params import params as scheduler_params
from postroad.scheduler.scheduler import Scheduler
from postroad.scheduler.transport import TransportLanes


@pytest.fixture(autouse=True, params=["the short way", "the long way"])
def _way(request, monkeypatch):
    """Everything here is true of mail whose route is remembered and that need not wait, and of other mail."""
    if request.param == "the long way":
        monkeypatch.setattr(FakeRouter, "remembered", lambda *_: None)
        monkeypatch.setattr(TransportLanes, "is_free", lambda *_: False)


class FakeRouter:
    def __init__(self):
        self.broken = set()

    async def route(self, address, sender=""):
        if address in self.broken:
            raise RuntimeError("table is away")
        return Route("smtp", address.partition("@")[2], address, AddressClass.DEFAULT)

    def remembered(self, address):
        if address in self.broken:
            return None
        return "smtp", address.partition("@")[2]


class FakeAgent:
    """Keeps jobs until the test answers them."""

    gathers = 1

    def __init__(self):
        self.jobs = []
        self.at_once = None

    def deliver(self, job, report):
        if self.at_once is not None:
            job.all(self.at_once)
            report(job)
            return
        self.jobs.append((job, report))

    def answer(self, outcome=None, site_failure=None):
        job, report = self.jobs.pop(0)
        if outcome is not None:
            job.all(outcome)
        job.site_failure = site_failure
        report(job)
        return job


class FakeOutcomes:
    def __init__(self):
        self.reported = []
        self.finished = []

    def report(self, job):
        for recipient, outcome in zip(job.recipients, job.outcomes, strict=True):
            self.reported.append((recipient.address, outcome.status, outcome.text))
            recipient.done = outcome.status[0] == "2"

    def finish(self, attempt, then):
        self.finished.append(attempt.message.key)
        then([])


class FakeStore:
    def __init__(self):
        self.messages = {}
        self.due = []
        self.claims = 0
        self.written = []
        self.settled = []

    def settle(self, settlement, then):
        self.settled.append(settlement)
        then(None)

    def progress(self, message):
        self.written.append([r.done for r in message.recipients])

    async def claim(self, *, now, most):
        self.claims += 1
        taken, self.due = self.due[:most], self.due[most:]
        return taken

    async def find(self, keys):
        return [self.messages[key] for key in keys if key in self.messages]

    def content(self, message):
        return Text(b"from the store\r\n")


class World:
    def __init__(self, **texts):
        self.settings = settings_of([model_params, scheduler_params], **texts)
        self.clock = TestClock()
        self.store, self.router, self.agent, self.outcomes = (
            FakeStore(),
            FakeRouter(),
            FakeAgent(),
            FakeOutcomes(),
        )
        self.lanes = TransportLanes("smtp", self.agent, self.settings, int(texts.get("processes", 100)))
        self.sink = ListSink()
        self.scheduler = Scheduler(
            store=self.store,
            router=self.router,
            transports={"smtp": self.lanes},
            outcomes=self.outcomes,
            settings=self.settings,
            log=Log(self.sink),
            clock=self.clock,
        )

    def message(self, key, *addresses, sender="s@example.net"):
        message = Message(
            key,
            sender,
            [Recipient(a) for a in addresses or ("r@example.org",)],
            self.clock.now(),
            Text(b"x\r\n"),
        )
        self.store.messages[key] = message
        self.scheduler.add(message)
        return message


OK = Outcome("2.0.0", "ok", "h[1]:25")
DOWN = Outcome("4.4.1", "connect to h[1]:25: Connection refused")


async def test_a_message_is_delivered_reported_and_finished_once():
    w = World()
    w.message(1)
    w.agent.answer(OK)
    assert w.outcomes.reported == [("r@example.org", "2.0.0", "ok")]
    assert w.outcomes.finished == [1]
    assert len(w.scheduler) == 0
    assert "qmgr: 000000000000001: from=<s@example.net>, size=3, nrcpt=1 (queue active)" in w.sink.lines


async def test_recipients_of_one_destination_travel_together_up_to_the_limit():
    w = World(default_destination_recipient_limit="2")
    w.message(1, "a@x", "b@x", "c@x", "d@y")
    sizes = sorted(len(job.recipients) for job, _ in w.agent.jobs)
    assert sizes == [1, 1, 2]
    for _ in range(3):
        w.agent.answer(OK)
    assert w.outcomes.finished == [1]


async def test_what_is_delivered_is_written_while_others_are_still_tried():
    w = World()
    w.message(1, "a@x", "b@y", "c@z")
    w.agent.answer(OK)
    w.agent.answer(DOWN)
    w.agent.answer(OK)
    assert w.store.written == [[True, False, False], [True, False, False]]


@pytest.mark.parametrize(
    ("place", "default", "nexthops"),
    [
        ("smtp:[filter.test]:10025", "", ["[filter.test]:10025"]),
        ("smtp:", "[filter.test]", ["[filter.test]"]),
        ("smtp:", "", ["x", "y"]),
    ],
)
async def test_a_content_filter_takes_the_place_of_the_route(place, default, nexthops):
    w = World(default_filter_nexthop=default)
    message = Message(
        1, "s@example.net", [Recipient("a@x"), Recipient("b@Y"), Recipient("c@y")], 0.0, Text(b"x\r\n")
    )
    message.attributes["content_filter"] = place
    w.router.broken = {"a@x", "b@Y", "c@y"}
    w.scheduler.add(message)
    assert [job.nexthop for job, _ in w.agent.jobs] == nexthops
    for _ in nexthops:
        w.agent.answer(OK)
    assert w.outcomes.finished == [1]


async def test_mail_for_a_content_filter_that_is_not_there_is_kept():
    w = World()
    message = Message(1, "s@example.net", [Recipient("a@x")], 0.0, Text(b"x\r\n"))
    message.attributes["content_filter"] = "nosuch:x"
    w.scheduler.add(message)
    assert w.outcomes.reported == [("a@x", "4.3.0", "mail transport unavailable")]


async def test_concurrency_begins_with_the_initial_window_and_grows_with_success():
    w = World(initial_destination_concurrency="2", default_destination_concurrency_limit="3")
    for key in range(10):
        w.message(key)
    assert len(w.agent.jobs) == 2
    w.agent.answer(OK)
    assert len(w.agent.jobs) == 3
    for _ in range(9):
        w.agent.answer(OK)
        assert len(w.agent.jobs) <= 3
    assert sorted(w.outcomes.finished) == list(range(10))


async def test_a_dead_site_defers_what_waits_and_what_comes_and_lives_again_later():
    w = World(initial_destination_concurrency="1", minimal_backoff_time="300s")
    w.message(1)
    w.message(2)
    w.agent.answer(DOWN, site_failure=DOWN)
    assert w.outcomes.finished in ([1, 2], [2, 1])
    w.message(3)
    assert not w.agent.jobs
    assert w.outcomes.reported[-1] == (
        "r@example.org",
        "4.4.1",
        f"delivery temporarily suspended: {DOWN.text}",
    )
    w.clock.advance(301)
    w.message(4)
    assert len(w.agent.jobs) == 1


async def test_one_dead_site_does_not_delay_another():
    w = World(initial_destination_concurrency="1")
    w.message(1, "a@dead")
    w.agent.answer(DOWN, site_failure=DOWN)
    w.message(2, "a@alive")
    assert len(w.agent.jobs) == 1


async def test_an_address_that_cannot_be_routed_is_deferred_and_the_others_go():
    w = World()
    w.router.broken.add("a@x")
    w.message(1, "a@x", "b@y")
    w.agent.answer(OK)
    assert ("a@x", "4.3.0") in [r[:2] for r in w.outcomes.reported]
    assert ("b@y", "2.0.0") in [r[:2] for r in w.outcomes.reported]
    assert w.outcomes.finished == [1]


async def test_an_agent_that_is_silent_or_raises_defers():
    w = World()
    w.message(1)
    w.agent.answer()
    assert w.outcomes.reported == [("r@example.org", "4.3.0", "delivery agent did not report this recipient")]
    w.agent.deliver = None
    w.message(2)
    assert w.outcomes.reported[-1][1] == "4.3.0"
    assert w.outcomes.finished == [1, 2]


async def test_a_report_that_comes_twice_counts_once():
    w = World()
    w.message(1)
    job, report = w.agent.jobs[0]
    w.agent.answer(OK)
    report(job)
    assert w.outcomes.finished == [1]
    assert w.lanes.active == 0


async def test_thousands_of_jobs_that_report_at_once_do_not_recurse():
    w = World()
    w.agent.at_once = OK
    w.message(1, *(f"r{i}@example.org" for i in range(5000)))
    while len(w.scheduler):
        await asyncio.sleep(0)
    assert w.outcomes.finished == [1]


@pytest.mark.parametrize("name", ["smtp"])
async def test_defer_transports_defers_without_an_attempt(name):
    w = World(defer_transports=name)
    w.message(1)
    assert w.outcomes.reported == [("r@example.org", "4.3.2", "deferred transport")]
    assert not w.agent.jobs


async def test_a_transport_without_a_service_defers():
    w = World()
    w.scheduler.transports.clear()
    w.message(1)
    assert w.outcomes.reported == [("r@example.org", "4.3.0", "mail transport unavailable")]


async def test_the_queue_is_claimed_at_start_and_no_more_than_the_limit_is_active():
    w = World(qmgr_message_active_limit="3")
    w.store.due = [Message(key, "s@a", [Recipient("r@x")], 0.0) for key in range(8)]
    w.scheduler.start()
    await until(lambda: len(w.scheduler) >= 3)
    await turns()
    assert len(w.scheduler) == 3
    while len(w.outcomes.finished) < 8:
        await until(lambda: w.agent.jobs)
        w.agent.answer(OK)
        await asyncio.sleep(0)
        assert len(w.scheduler) <= 3
    await w.scheduler.drain(0.1)


async def test_a_content_that_is_not_in_memory_is_read_from_the_store():
    w = World()
    message = Message(1, "s@a", [Recipient("r@x")], 0.0)
    w.scheduler.add(message)
    assert w.agent.jobs[0][0].content.data == b"from the store\r\n"


async def test_a_held_message_is_not_delivered():
    w = World()
    message = Message(1, "s@a", [Recipient("r@x")], 0.0)
    message.held = True
    w.scheduler.add(message)
    assert not w.agent.jobs


async def test_stopping_leaves_what_was_not_begun_and_waits_for_what_was():
    w = World(initial_destination_concurrency="1")
    w.message(1)
    w.message(2)
    stopping = asyncio.ensure_future(w.scheduler.drain(5))
    await asyncio.sleep(0)
    assert not stopping.done()
    w.agent.answer(OK)
    await stopping
    assert sorted(w.outcomes.finished) == [1, 2]
    assert [r[0] for r in w.outcomes.reported] == ["r@example.org"]


async def test_a_rate_delay_means_one_delivery_at_a_time_and_a_pause():
    w = World(default_destination_rate_delay="10s")
    w.message(1)
    w.message(2)
    assert len(w.agent.jobs) == 1
    w.agent.answer(OK)
    assert not w.agent.jobs
    w.clock.advance(11)
    lane = w.lanes.lanes["example.org"]
    w.scheduler._jobs._rested(w.lanes, lane)
    assert len(w.agent.jobs) == 1


async def test_an_expired_message_is_given_up_without_an_attempt():
    w = World()
    message = Message(1, "s@a", [Recipient("r@x")], 0.0)
    message.attributes["expired"] = "1"
    w.scheduler.add(message)
    assert w.outcomes.finished == [1]
    assert not w.agent.jobs


async def test_flush_revives_dead_sites_and_looks_through_the_queue():
    w = World(initial_destination_concurrency="1")
    w.message(1)
    w.agent.answer(DOWN, site_failure=DOWN)
    claims = w.store.claims
    w.scheduler.flush()
    w.message(2)
    assert len(w.agent.jobs) == 1
    assert w.store.claims == claims + 1
    w.agent.answer(OK)
    await w.scheduler.drain(0.1)


async def test_an_answer_counts_for_the_lane_it_was_taken_from_whatever_the_agent_made_of_the_job():
    w = World()
    w.message(1, "a@x")
    w.agent.jobs[0][0].nexthop = "somewhere.else"
    w.agent.jobs[0][0].transport = "local"
    w.agent.answer(OK)
    assert w.lanes.lanes["x"].busy == 0
    assert w.lanes.active == 0
    assert "somewhere.else" not in w.lanes.lanes


@pytest.mark.parametrize(("delimiter", "lanes"), [("", {"a@x", "a+ext@x", "b@x"}), ("+", {"a@x", "b@x"})])
async def test_a_transport_for_single_recipients_has_a_lane_for_each_user(delimiter, lanes):
    w = World(default_destination_recipient_limit="1", recipient_delimiter=delimiter)
    w.message(1, "a@x", "b@x", "a+ext@x")
    assert set(w.lanes.lanes) == lanes
    assert {job.nexthop for job, _ in w.agent.jobs} == {"x"}


async def test_a_success_revives_a_site_that_another_delivery_found_dead():
    w = World(initial_destination_concurrency="2")
    w.message(1)
    w.message(2)
    w.lanes.lanes["example.org"].window.size = 1
    w.agent.answer(DOWN, site_failure=DOWN)
    assert w.lanes.lanes["example.org"].dead is DOWN
    w.agent.answer(OK)
    assert w.lanes.lanes["example.org"].dead is None
    w.message(3)
    assert len(w.agent.jobs) == 1


async def test_more_than_can_be_active_waits_without_its_content_and_is_called_back():
    w = World(qmgr_message_active_limit="1")
    first, second, third = w.message(1), w.message(2), w.message(3)
    assert len(w.scheduler) == 1
    assert (first.content is None, second.content, third.content) == (False, None, None)
    for message in (first, second, third):
        await until(lambda: w.agent.jobs)
        assert [job.message.key for job, _ in w.agent.jobs] == [message.key]
        w.agent.answer(OK)
    await until(lambda: len(w.outcomes.finished) >= 3)
    assert w.outcomes.finished == [1, 2, 3]
    assert not w.store.settled
    await w.scheduler.drain(0.1)


async def test_what_waited_beyond_the_limit_and_is_held_by_now_gives_its_lease_back():
    w = World(qmgr_message_active_limit="1")
    w.message(1)
    held = w.message(2)
    held.held = True
    w.agent.answer(OK)
    await until(lambda: w.store.settled)
    assert [s.message for s in w.store.settled] == [held]
    assert not w.agent.jobs
    await w.scheduler.drain(0.1)


async def test_a_message_that_is_withdrawn_is_not_begun_and_is_settled():
    w = World(initial_destination_concurrency="1")
    first, second, third = w.message(1), w.message(2), w.message(3)
    w.scheduler.withdraw([first.key, second.key, 99])
    assert w.outcomes.finished == [2]
    w.agent.answer(OK)
    assert sorted(w.outcomes.finished) == [1, 2]
    assert [job.message for job, _ in w.agent.jobs] == [third]


async def test_what_waits_for_a_transport_that_a_reload_takes_away_is_deferred():
    w = World(initial_destination_concurrency="1")
    w.message(1)
    w.message(2)
    w.scheduler.configure(w.router, {}, w.outcomes, w.settings)
    assert w.outcomes.reported == [("r@example.org", "4.3.0", "mail transport unavailable")]
    assert w.outcomes.finished == [2]
    w.agent.answer(OK)
    assert w.outcomes.finished == [2, 1]
    assert w.lanes.active == 0


async def test_what_waits_for_a_transport_that_a_reload_suspends_is_deferred():
    w = World(initial_destination_concurrency="1")
    w.message(1)
    w.message(2)
    settings = settings_of([model_params, scheduler_params], defer_transports="smtp")
    w.scheduler.configure(w.router, {"smtp": w.lanes}, w.outcomes, settings)
    assert w.outcomes.reported == [("r@example.org", "4.3.2", "deferred transport")]
    w.agent.answer(OK)


async def test_an_address_that_is_being_routed_when_the_server_stops_is_not_tried():
    w = World()
    gate = asyncio.get_running_loop().create_future()
    route = w.router.route

    async def slow(address, sender=""):
        await gate
        return await route(address, sender)

    w.router.route = slow
    w.router.remembered = lambda _address: None
    w.message(1)
    stopping = asyncio.ensure_future(w.scheduler.drain(5))
    await asyncio.sleep(0)
    gate.set_result(None)
    await stopping
    assert not w.agent.jobs
    assert w.outcomes.finished == [1]


async def test_the_pause_of_a_rate_delay_begins_when_the_delivery_has_ended():
    w = World(default_destination_rate_delay="10s")
    w.message(1)
    w.message(2)
    w.clock.advance(20)
    w.agent.answer(OK)
    assert not w.agent.jobs
    w.scheduler._jobs._rested(w.lanes, w.lanes.lanes["example.org"])  # a timer that is early by our clock
    assert len(w.agent.jobs) == 1
