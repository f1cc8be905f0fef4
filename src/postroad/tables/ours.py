"""Which domains are this system's own."""

from __future__ import annotations

from collections.abc import Collection

from postroad.base.params import Settings
from postroad.model import params
from postroad.tables.context import TableContext
from postroad.tables.matchlist import StringList
from postroad.tables.network import parse_address


class OwnDomains:
    """$mydestination, $myorigin when asked for, and the literals of our own addresses.

    ``addresses`` are the IP addresses of inet_interfaces and proxy_interfaces.
    """

    __slots__ = ("_addresses", "_destination", "_origin")

    def __init__(self, settings: Settings, context: TableContext, addresses: Collection[str] = ()) -> None:
        members = settings[params.MYDESTINATION]
        self._destination = StringList(members, context)
        self._origin = settings[params.MYORIGIN].lower()
        self._addresses = frozenset(parse_address(address) for address in addresses) - {None}

    async def matches(self, domain: str) -> bool:
        """Return whether mail for this domain is local; TableUnavailable when a table cannot be asked."""
        if domain.endswith(".") and not domain.endswith(".."):
            domain = domain[:-1]
        if await self._destination.matches(domain):
            return True
        if domain[:1] == "[" and domain[-1:] == "]":
            literal = domain[1:-1]
            if literal[:5].lower() == "ipv6:":  # RFC 5321 4.1.3
                literal = literal[5:]
            return parse_address(literal) in self._addresses
        return False

    async def matches_or_origin(self, domain: str) -> bool:
        """Return whether a bare user name may stand for an address of this domain in a table."""
        return domain.lower() == self._origin or await self.matches(domain)
