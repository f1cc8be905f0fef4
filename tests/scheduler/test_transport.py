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


class Agent:
    def __init__(self, gathers):
        self.gathers = gathers


def lanes(*, process_limit=0, share=1, name="smtp", gathers=1, **texts):
    return TransportLanes(
        name, Agent(gathers), settings_of([model_params, scheduler_params], **texts), process_limit, share
    )


def attempt(sender="s@x", key=1):
    return Attempt(Message(key, sender, [], 0.0), 0.0, 0.0)


def put(transport, nexthop, count=1, recipients=1, sender="s@x"):
    lane = transport.lane(nexthop, 0.0)
    for key in range(count):
        transport.put(
            lane, sender, attempt(sender, key), [Recipient(f"r{n}@{nexthop}") for n in range(recipients)]
        )
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
    lane.window.size = 9
    assert [len(transport.take()[1][1]) for _ in range(lane.waiting)] == sizes


def test_an_attempt_counts_its_jobs():
    transport = lanes(default_destination_recipient_limit="1")
    one = attempt()
    transport.put(transport.lane("x", 0.0), "s", one, [Recipient("a@x"), Recipient("b@x")])
    assert one.pending == 2


def order(transport, what=lambda lane, job: lane.nexthop):
    taken = []
    while turn := transport.take():
        taken.append(what(*turn))
    return taken


def test_destinations_take_turns():
    transport = lanes()
    put(transport, "x", 3)
    put(transport, "y", 1)
    assert order(transport) == ["x", "y", "x", "x"]


def sender_of(_lane, job):
    return job[0].message.sender


@pytest.mark.parametrize("nexthops", [("x",), ("x", "y", "z")])
def test_senders_take_turns_whatever_one_of_them_has_queued(nexthops):
    transport = lanes()
    for nexthop in nexthops:
        put(transport, nexthop, 4, sender="bulk@a")
    put(transport, "x", sender="ann@b")
    assert order(transport, sender_of)[:3] == ["bulk@a", "ann@b", "bulk@a"]
    assert (transport.waiting, transport.flows, transport.round) == (0, {}, transport.round)


def test_the_jobs_of_one_sender_for_one_destination_keep_their_order():
    transport = lanes()
    put(transport, "x", 5)
    assert order(transport, lambda _lane, job: job[0].message.key) == [0, 1, 2, 3, 4]


def test_senders_take_turns_where_the_window_lets_one_job_pass_at_a_time():
    transport = lanes(initial_destination_concurrency="1")
    lane = put(transport, "x", 3, sender="bulk@a")
    put(transport, "x", 2, sender="ann@b")
    taken = []
    while turn := transport.take():
        taken.append(sender_of(*turn))
        lane.busy = 1
        assert transport.take() is None
        lane.busy = 0
        transport.wake(lane)
    assert taken == ["bulk@a", "ann@b", "bulk@a", "ann@b", "bulk@a"]


def test_a_lane_whose_window_is_full_or_that_rests_has_no_turn():
    transport = lanes(initial_destination_concurrency="1")
    full, rests = put(transport, "full"), put(transport, "rests")
    full.busy, rests.not_before = 1, 5.0
    assert transport.take() is None
    transport.wake(rests)
    assert transport.take() is None
    rests.not_before = 0.0
    transport.wake(rests)
    assert transport.take()[0] is rests


@pytest.mark.parametrize("interrupted", [False, True])
def test_what_is_drained_has_no_turn_and_what_comes_later_has(interrupted):
    transport = lanes(initial_destination_concurrency="1")
    lane = put(transport, "x", 3)
    put(transport, "x", 1, sender="ann@b")
    kept = put(transport, "y", 1)
    for line in lane.lines.values():
        for job in line:
            job[0].interrupted = True
    assert len(transport.drain(lane, interrupted=interrupted)) == 4
    assert (lane.waiting, transport.waiting) == (0, 1)
    put(transport, "x", 1, sender="eve@c")
    assert sorted(order(transport)) == sorted([kept.nexthop, "x"])
    assert not transport.flows


def test_only_interrupted_attempts_are_drained():
    transport = lanes()
    lane = put(transport, "x", 3)
    next(iter(lane.lines.values()))[1][0].interrupted = True
    assert [job[0].message.key for job in transport.drain(lane, interrupted=True)] == [1]
    assert order(transport, lambda _lane, job: job[0].message.key) == [0, 2]


# --- what may wait in memory


def test_a_sender_may_have_a_quarter_of_the_room_in_one_lane_and_others_still_have_theirs():
    transport = lanes()
    lane = put(transport, "x", 26, sender="bulk")
    backlog = transport.backlog(lane, "bulk", 100)
    assert backlog is lane.parked["bulk"]
    assert transport.backlog(lane, "ann", 100) is None
    assert transport.backlog(transport.lane("y", 0.0), "bulk", 100) is None


def test_who_has_mail_parked_waits_behind_it_until_it_is_called_back():
    transport = lanes()
    lane = put(transport, "x", 26, sender="bulk")
    backlog = transport.backlog(lane, "bulk", 100)
    backlog.put(1)
    assert transport.backlog(lane, "bulk", 10_000) is backlog
    assert transport.hungry(lane, ["bulk", ""], 1000) == [backlog]
    assert transport.hungry(lane, ["bulk"], 100) == []
    backlog.asked = True
    assert transport.hungry(lane, ["bulk", ""], 1000) == []
    assert backlog.take(9) == [1]
    assert transport.backlog(lane, "bulk", 10_000) is None
    backlog.asked = False
    assert transport.hungry(lane, ["bulk"], 1000) == []
    assert not lane.parked


def test_many_senders_of_one_lane_have_half_of_all_together():
    transport = lanes()
    for number in range(101):
        lane = put(transport, "x", sender=f"s{number}")
    assert transport.backlog(lane, "new", 100) is lane.parked[""]
    assert transport.backlog(transport.lane("y", 0.0), "new", 100) is None


def test_mail_to_many_destinations_is_parked_while_no_more_deliveries_are_allowed():
    transport = lanes(process_limit=1)
    for number in range(26):
        put(transport, f"d{number}", sender="bulk")
    other = transport.lane("other", 0.0)
    assert transport.backlog(other, "bulk", 100) is None
    transport.active = 1
    backlog = transport.backlog(other, "bulk", 100)
    assert backlog is transport.parked["bulk"]
    assert transport.backlog(other, "ann", 100) is None
    backlog.put(1)
    assert transport.backlog(other, "bulk", 10_000) is backlog
    assert transport.hungry(other, ["bulk"], 1000) == [backlog]


def test_mail_of_many_senders_to_many_destinations_is_parked_before_it_fills_all():
    transport = lanes(process_limit=1)
    transport.active = 1
    for number in range(301):
        put(transport, f"d{number}", sender=f"s{number}")
    other = transport.lane("other", 0.0)
    assert transport.backlog(other, "new", 101) is None
    assert transport.backlog(other, "new", 100) is transport.parked[""]


def test_nothing_is_parked_where_nothing_of_the_kind_waits_however_little_room_there_is():
    transport = lanes(process_limit=1)
    transport.active = 1
    for room in (1, 0, -5):
        assert transport.backlog(transport.lane("x", 0.0), "s", room) is None


@pytest.mark.parametrize(("limit", "active", "room"), [(0, 100, True), (2, 1, True), (2, 2, False)])
def test_the_process_limit_bounds_all_lanes_together(limit, active, room):
    transport = lanes(process_limit=limit)
    put(transport, "x")
    transport.active = active
    assert (transport.take() is not None) is room


def test_nothing_waits_then_there_is_nothing_to_begin():
    assert lanes().take() is None


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
    assert {"waits", "busy", "rests"} <= set(transport.lanes)
    assert "dead" not in transport.lanes
    assert len(transport.lanes) <= 10


def test_new_settings_narrow_the_windows_that_exist():
    transport = lanes(initial_destination_concurrency="5")
    lane = put(transport, "x")
    settings = settings_of([model_params, scheduler_params], default_destination_concurrency_limit="2")
    transport.configure(transport.agent, settings, 0, 1)
    assert lane.window.size == 2


def test_a_lane_is_free_while_nobody_waits_before_it_and_it_may_begin_a_job():
    transport = lanes(process_limit=2, default_destination_recipient_limit="3")
    one = [Recipient("r@a")]
    lane = transport.lane("a", 0.0)
    assert transport.is_free(lane, one)
    assert transport.is_free(lane, one * 3)
    assert not transport.is_free(lane, one * 4)
    for name, value in (("active", 2), ("dispatching", True)):
        setattr(transport, name, value)
        assert not transport.is_free(lane, one)
        setattr(transport, name, 0)
    for name, value in (("busy", lane.window.size), ("dead", Outcome("4.4.1", "x")), ("not_before", 1.0)):
        former = getattr(lane, name)
        setattr(lane, name, value)
        assert not transport.is_free(lane, one)
        setattr(lane, name, former)
    put(transport, "b")
    assert not transport.is_free(lane, one)


def test_what_an_agent_gathers_counts_as_one_delivery():
    made = lanes(process_limit=50, share=2, gathers=64)
    assert (made.law.limit, made.law.initial, made.process_limit) == (10 * 64, 3 * 64, 50 * 64)
    assert lanes(gathers=64, default_destination_rate_delay="2s").law.limit == 1
