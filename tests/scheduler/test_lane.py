"""Lanes and flows."""

import pytest

from postroad.model.outcome import Outcome
from postroad.scheduler.feedback import Law
from postroad.scheduler.lane import Flow, Lane, flow_name


@pytest.mark.parametrize(
    ("sender", "name"),
    [
        ("", "<>"),
        ("ann@x", "ann@x"),
        ("ann+tag@x", "ann@x"),
        ("list-bounces+you=d.example@x", "list@x"),
        ("list+you=d.example@x", "list@x"),
        ("news-42-you=d.example@x", "news@x"),
        ("prvs=0123abc=ann@x", "prvs@x"),
        ("a-b@x", "a-b@x"),
        ("+@x", "+@x"),
        ("=+a@x", "=@x"),
        ("ann@a+b", "ann@a+b"),
        ("ann+tag", "ann+tag"),
    ],
)
def test_addresses_made_of_one_name_one_flow(sender, name):
    assert flow_name(sender) == name


def test_a_lane_is_open_while_its_window_has_a_place_and_it_does_not_rest():
    lane = Lane("x", Law(20, 2, lambda _w: 1, lambda _w: 1, 1))
    assert lane.is_open()
    lane.busy = 2
    assert not lane.is_open()
    lane.busy, lane.not_before = 0, 5.0
    assert not lane.is_open()


def test_a_lane_that_is_revived_has_its_first_window_again():
    lane = Lane("x", Law(20, 2, lambda _w: 1, lambda _w: 1, 1))
    lane.dead, lane.window.size = Outcome("4.4.1", "away"), 0
    lane.revive()
    assert lane.dead is None
    assert lane.is_open()


def test_a_new_flow_has_nothing():
    flow = Flow("ann@x")
    assert (flow.name, flow.waiting, len(flow.ready)) == ("ann@x", 0, 0)
