"""The places that the recipients of a message go to: each transport and next hop, and who goes there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import NamedTuple

from postroad.base.params import Settings
from postroad.model.message import Recipient
from postroad.model.params import ALLOW_MIN_USER, CONTENT_FILTER
from postroad.model.ports import Router
from postroad.model.route import Route
from postroad.scheduler.params import DEFAULT_FILTER_NEXTHOP

Places = dict[tuple[str, str], list[Recipient]]
_BAD_ADDRESS = "error", "5.1.3 bad address syntax"
_AT_ONCE = 200  # recipients routed before others have their turn


class FilterRules(NamedTuple):
    """``local`` is where the filter of local users' mail is, ``nexthop`` the next hop of one without."""

    local: str
    nexthop: str
    allow_minus: bool

    @classmethod
    def of(cls, settings: Settings) -> FilterRules:
        """Return the rules that the configuration sets."""
        return cls(settings[CONTENT_FILTER], settings[DEFAULT_FILTER_NEXTHOP], settings[ALLOW_MIN_USER])

    def place_of(self, attributes: dict[str, str]) -> str:
        """Return the ``transport:nexthop`` of a message's filter, "" for none.

        What was requeued has an empty one: it has that of local users now (postsuper(1)).
        """
        place = attributes["content_filter"]
        if not place:
            place = self.local
            if place:
                attributes["content_filter"] = place
            else:
                del attributes["content_filter"]
        return place

    def places(self, place: str, recipients: Sequence[Recipient]) -> Places:
        """Return the places of a filter.  Without a next hop it is ours, or else each recipient's domain."""
        transport, _, nexthop = place.partition(":")
        nexthop = nexthop or self.nexthop
        places: Places = {}
        for recipient in recipients:
            where = transport, nexthop or recipient.address.rpartition("@")[2].lower()
            if recipient.address.startswith("-") and not self.allow_minus:
                where = _BAD_ADDRESS  # it would be an option to a program that mail is piped to
            places.setdefault(where, []).append(recipient)
        return places


async def routed_places(
    router: Router,
    sender: str,
    recipients: Sequence[Recipient],
    refuse: Callable[[Recipient, Exception], None],
) -> Places:
    """Return the places that the router says; ``refuse`` gets those for whom it could not."""
    places: Places = {}
    for number, recipient in enumerate(recipients, 1):
        try:
            route = await router.route(recipient.address, sender)
        except Exception as error:  # noqa: BLE001 - any failure to look defers this recipient alone
            refuse(recipient, error)
        else:
            follow(route, recipient)
            places.setdefault((route.transport, route.nexthop), []).append(recipient)
        if number % _AT_ONCE == 0:
            await _others()
    return places


def follow(route: Route, recipient: Recipient) -> None:
    """Let a recipient be the one that is behind its address: user@other for user%other@us, as in Postfix."""
    recipient.address = route.recipient or recipient.address


async def _others() -> None:
    """Let whoever waits for the loop have a turn."""
    loop = asyncio.get_running_loop()
    turn = loop.create_future()
    loop.call_soon(turn.set_result, None)
    await turn
