"""The lanes of one transport: limits, shares, turns, and what is forgotten."""

import pytest

from postroad.base.params import settings_of
from postroad.model.job import Attempt
from postroad.model.message import Message, Recipient
from postroad.model.outcome import Outcome
from postroad.model.params import params as model_params
from postroad.scheduler import transport as module
from postroad.scheduler.params import params as scheduler_params
from postroad.scheduler.transport import TransportLanes


def lanes(*, process_limit=0, share=1, name="smtp", **texts):
    return TransportLanes(
        name, object(), settings_of([model_params, scheduler_params], **texts), process_limit, share
    )


def attempt(sender="s@x", key=1):
    return Attempt(Message(key, sender, [], 0.0), 0.0, 0.0)


def put(transport, nexthop, count=1, recipients=1, sender="s@x"):
    lane = transport.lane(nexthop, 0.0)
    for key in range(count):
        transport.put(lane, attempt(sender, key), [Recipient(f"r{n}@{nexthop}") for n in range(recipients)])
    return lane


@pytest.mark.parametrize(
    ("limit", "share", "part"), [(20, 1, 20), (20, 2, 10), (20, 3, 7), (1, 4, 1), (0, 4, 0)]
)
def test_each_worker_obeys_its_part_of_a_limit_and_none_stays_none(limit, share, part):
    law = lanes(share=share, default_destination_concurrency_limit=str(limit)).law
    assert law.limit == part


def test_a_rate_delay_is_shared_as_well_and_means_one_delivery_at_a_time():
    transport = lanes(share=3, default_destination_rate_delay="2s")
    assert transport.rate_delay == 6
    assert transport.law.limit == 1


def test_a_transport_has_values_of_its_own():
    texts = {"slow_destination_concurrency_limit": "2", "slow_destination_recipient_limit": "7"}
    assert (lanes(name="slow", **texts).law.limit, lanes(name="slow", **texts).recipient_limit) == (2, 7)
    assert (lanes(**texts).law.limit, lanes(**texts).recipient_limit) == (20, 50)


@pytest.mark.parametrize(("most", "sizes"), [("2", [2, 2, 1]), ("5", [5]), ("0", [5])])
def test_a_job_has_no_more_recipients_than_the_limit(most, sizes):
    transport = lanes(default_destination_recipient_limit=most)
    lane = put(transport, "x", recipients=5)
    assert [len(lane.take()[1]) for _ in range(lane.waiting)] == sizes


def test_an_attempt_counts_its_jobs():
    transport = lanes(default_destination_recipient_limit="1")
    one = attempt()
    transport.put(transport.lane("x", 0.0), one, [Recipient("a@x"), Recipient("b@x")])
    assert one.pending == 2


def test_destinations_take_turns():
    transport = lanes()
    put(transport, "x", 3)
    put(transport, "y", 1)
    order = []
    while lane := transport.next_lane(0.0):
        lane.take()
        order.append(lane.nexthop)
        transport.wake(lane)
    assert order == ["x", "y", "x", "x"]


def test_a_lane_whose_window_is_full_or_that_rests_has_no_turn():
    transport = lanes(initial_destination_concurrency="1")
    full, rests = put(transport, "full"), put(transport, "rests")
    full.busy, rests.not_before = 1, 5.0
    assert transport.next_lane(4.0) is None
    rests.not_before = 0.0
    transport.wake(rests)
    assert transport.next_lane(4.0) is rests


@pytest.mark.parametrize(("limit", "active", "room"), [(0, 100, True), (2, 1, True), (2, 2, False)])
def test_the_process_limit_bounds_all_lanes_together(limit, active, room):
    transport = lanes(process_limit=limit)
    put(transport, "x")
    transport.active = active
    assert transport.has_room is room


def test_nothing_waits_then_there_is_nothing_to_begin():
    assert not lanes().has_room


def test_idle_lanes_are_forgotten_and_those_in_use_dead_or_resting_are_not(monkeypatch):
    monkeypatch.setattr(module, "_IDLE_LANES", 4)
    transport = lanes()
    put(transport, "waits")
    transport.lane("busy", 0.0).busy = 1
    dead = transport.lane("dead", 0.0)
    dead.dead, dead.dead_until = Outcome("4.4.1", "away"), 100.0
    transport.lane("rests", 0.0).not_before = 100.0
    transport._most = 4
    transport.lane("new", 50.0)
    assert set(transport.lanes) == {"waits", "busy", "dead", "rests", "new"}
    for number in range(10):
        transport.lane(f"idle{number}", 200.0)
    assert {"waits", "busy"} <= set(transport.lanes)
    assert not {"dead", "rests"} & set(transport.lanes)
    assert len(transport.lanes) <= 10


def test_new_settings_narrow_the_windows_that_exist():
    transport = lanes(initial_destination_concurrency="5")
    lane = put(transport, "x")
    settings = settings_of([model_params, scheduler_params], default_destination_concurrency_limit="2")
    transport.configure(transport.agent, settings, 0, 1)
    assert lane.window.size == 2


def test_a_lane_is_free_while_nobody_waits_before_it_and_it_may_begin_a_job():
    transport = lanes(process_limit=2, default_destination_recipient_limit="3")
    lane = transport.lane("a", 0.0)
    assert transport.is_free(lane, 0.0)
    assert transport.carries_at_once([Recipient("r@a")] * 3)
    assert not transport.carries_at_once([Recipient("r@a")] * 4)
    for name, value in (("active", 2), ("dispatching", True)):
        setattr(transport, name, value)
        assert not transport.is_free(lane, 0.0)
        setattr(transport, name, 0)
    for name, value in (("busy", lane.window.size), ("dead", Outcome("4.4.1", "x")), ("not_before", 1.0)):
        former = getattr(lane, name)
        setattr(lane, name, value)
        assert not transport.is_free(lane, 0.5)
        setattr(lane, name, former)
    put(transport, "b")
    assert not transport.is_free(lane, 0.0)
