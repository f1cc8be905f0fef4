"""The places that the recipients of a message go to: each transport and next hop, and who goes there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from postroad.model.message import Recipient
from postroad.model.ports import Router

Places = dict[tuple[str, str], list[Recipient]]
_AT_ONCE = 200  # recipients routed before others have their turn


def filter_places(place: str, default: str, recipients: Sequence[Recipient]) -> Places:
    """Return the places of a content filter, ``transport:nexthop``.

    Without a next hop it is ``default``, or else each recipient's domain.
    """
    transport, _, nexthop = place.partition(":")
    nexthop = nexthop or default
    places: Places = {}
    for recipient in recipients:
        domain = nexthop or recipient.address.rpartition("@")[2].lower()
        places.setdefault((transport, domain), []).append(recipient)
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
            places.setdefault((route.transport, route.nexthop), []).append(recipient)
        if number % _AT_ONCE == 0:
            await _others()
    return places


async def _others() -> None:
    """Let whoever waits for the loop have a turn."""
    loop = asyncio.get_running_loop()
    turn = loop.create_future()
    loop.call_soon(turn.set_result, None)
    await turn
