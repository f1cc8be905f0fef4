"""The addresses of the envelope, as they are resolved."""

from __future__ import annotations

import re
from typing import NamedTuple

from postroad.base.errors import TableUnavailable
from postroad.mail.rewrite import Rewriter
from postroad.model.route import AddressClass, Route
from postroad.policy.params import ALLOW_UNTRUSTED_ROUTING
from postroad.policy.query import Query
from postroad.policy.services import Services

_OPERATORS = re.compile("[@!%]")
#: Addresses that mean what they say: no routing, no address literal, nothing to be completed.
_PLAIN = re.compile(r'[^@!%"\[\]\\]+@(?:[A-Za-z0-9-]+\.)+[A-Za-z0-9-]+')


def is_plain(address: str) -> bool:
    """Return whether an address resolves to itself."""
    return _PLAIN.fullmatch(address) is not None


def is_routed(address: str) -> bool:
    """Return whether a resolved address has routing in its local part (``user%other@here``).

    ``%`` and ``!`` count even where we do not obey them, because the next host may.
    """
    first = _OPERATORS.search(address)
    return first is not None and first.start() != address.rfind("@")


def is_authorized(route: Route, *, trust_routing: bool) -> bool:
    """Return whether anyone may send there: a domain of ours, or one that we relay for."""
    if is_routed(route.recipient) and not trust_routing:
        return False
    return route.address_class is not AddressClass.DEFAULT


class Meaning(NamedTuple):
    """What an address was resolved to, and whether it has routing that is not to be trusted."""

    address: str
    suspicious: bool


class Envelope:
    """Resolves senders and recipients.

    The router is asked, and nothing else: what an address resolves to is what counts.
    """

    __slots__ = ("_rewriter", "_router", "_trust_routing")

    def __init__(self, services: Services) -> None:
        self._router = services.router
        self._rewriter = Rewriter(services.settings)
        self._trust_routing = services.settings[ALLOW_UNTRUSTED_ROUTING]

    async def route(self, address: str, query: Query) -> Route:
        """Return the route of an address as the client gave it; TableUnavailable: could not look.

        The reply to that then speaks of the address, in whichever list it was asked.
        """
        try:
            sender = query.session.transaction.sender or ""
            return await self._router.route(self._rewriter.rewrite(address), sender)
        except TableUnavailable:
            query.name = address
            raise

    async def is_valid(self, address: str) -> bool:
        """Return whether an address as the client gave it leads to one; TableUnavailable: could not look."""
        return await self._router.is_valid(self._rewriter.rewrite(address))

    async def authorized(self, query: Query) -> bool:
        """Return whether anyone may send to the recipient."""
        route = await self.route(query.recipient, query)
        return is_authorized(route, trust_routing=self._trust_routing)

    async def meaning(self, address: str, query: Query) -> Meaning:
        """Return what an address is looked up as; a route is asked for only where it can differ."""
        if is_plain(address):
            return Meaning(address, suspicious=False)
        resolved = (await self.route(address, query)).recipient
        return Meaning(resolved, suspicious=is_routed(resolved) and not self._trust_routing)
