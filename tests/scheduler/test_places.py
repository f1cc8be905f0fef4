"""Where the recipients of a message go."""

import asyncio

import pytest

from postroad.base import tasks
from postroad.model.message import Recipient
from postroad.model.route import AddressClass, Route
from postroad.scheduler.places import FilterRules, follow, routed_places


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
    rules = FilterRules("", default, allow_minus=False)
    assert names(rules.places(place, people("a@x", "b@Y", "c@y"))) == expected


@pytest.mark.parametrize(
    ("allowed", "place"), [(False, ("error", "5.1.3 bad address syntax")), (True, ("pipe", "x"))]
)
def test_no_filter_gets_an_address_that_looks_like_an_option(allowed, place):
    rules = FilterRules("", "", allow_minus=allowed)
    assert names(rules.places("pipe:x", people("a@x", "-oops@x"))) == {
        ("pipe", "x"): ["a@x", "-oops@x"] if allowed else ["a@x"],
        place: ["a@x", "-oops@x"] if allowed else ["-oops@x"],
    }


def test_what_was_requeued_has_the_filter_of_local_mail_or_none():
    attributes = {"content_filter": ""}
    assert FilterRules("smtp:[new]", "", allow_minus=False).place_of(attributes) == "smtp:[new]"
    assert attributes == {"content_filter": "smtp:[new]"}
    assert FilterRules("smtp:[newer]", "", allow_minus=False).place_of(attributes) == "smtp:[new]"
    attributes = {"content_filter": "", "rewrite_context": "local"}
    assert FilterRules("", "", allow_minus=False).place_of(attributes) == ""
    assert attributes == {"rewrite_context": "local"}


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


@pytest.mark.parametrize(("found", "address"), [("u@far.test", "u@far.test"), ("", "u%far.test@us.test")])
def test_a_recipient_is_who_is_behind_the_address(found, address):
    recipient = Recipient("u%far.test@us.test")
    follow(Route("smtp", "far.test", found, AddressClass.DEFAULT), recipient)
    assert (recipient.address, recipient.original) == (address, "u%far.test@us.test")
