"""Where the recipients of a message go."""

import asyncio

import pytest

from postroad.base import tasks
from postroad.model.message import Recipient
from postroad.model.route import AddressClass, Route
from postroad.scheduler.places import filter_places, routed_places


def people(*addresses):
    return [Recipient(address) for address in addresses]


def names(places):
    return {place: [r.address for r in group] for place, group in places.items()}


@pytest.mark.parametrize(
    ("place", "default", "expected"),
    [
        ("smtp:[filter]:10025", "[other]", {("smtp", "[filter]:10025"): ["a@x", "b@Y", "c@y"]}),
        ("smtp:", "[other]", {("smtp", "[other]"): ["a@x", "b@Y", "c@y"]}),
        ("smtp", "", {("smtp", "x"): ["a@x"], ("smtp", "y"): ["b@Y", "c@y"]}),
    ],
)
def test_a_filter_has_one_next_hop_or_that_of_each_domain(place, default, expected):
    assert names(filter_places(place, default, people("a@x", "b@Y", "c@y"))) == expected


class Router:
    async def route(self, address, sender):
        if address.startswith("broken"):
            raise RuntimeError("table is away")
        return Route("smtp", address.partition("@")[2], address, AddressClass.DEFAULT)


async def test_recipients_of_one_destination_are_together_and_who_cannot_be_routed_is_named():
    refused = []
    recipients = people("a@x", "broken@x", "b@y", "c@x")
    places = await routed_places(
        Router(), "s@z", recipients, lambda r, e: refused.append((r.address, str(e)))
    )
    assert names(places) == {("smtp", "x"): ["a@x", "c@x"], ("smtp", "y"): ["b@y"]}
    assert refused == [("broken@x", "table is away")]


async def test_others_have_their_turn_while_very_many_are_routed():
    ended, turns = [], 0
    recipients = people(*(f"r{n}@x" for n in range(1000)))
    tasks.start(routed_places(Router(), "s@z", recipients, print), lambda *end: ended.append(end))
    while not ended:
        await asyncio.sleep(0)
        turns += 1
    ((places, error),) = ended
    assert error is None
    assert len(places["smtp", "x"]) == 1000
    assert turns >= 5
