"""transport_maps: the operator's word on where single recipients and domains go (transport(5))."""

from __future__ import annotations

from postroad.base.params import Settings
from postroad.mail.address import Extensions, transport_keys
from postroad.routing.params import TRANSPORT_MAPS
from postroad.tables.context import TableContext
from postroad.tables.maps import Maps
from postroad.tables.matchlist import parents_of


class TransportTable:
    """Changes transport and next hop as transport_maps says.  Empty is falsy."""

    __slots__ = ("_extensions", "_maps", "_parents")

    def __init__(self, settings: Settings, context: TableContext, extensions: Extensions) -> None:
        specs = settings[TRANSPORT_MAPS]
        self._maps = Maps(specs, context)
        self._extensions = extensions
        self._parents = parents_of(settings, "transport_maps")

    def __bool__(self) -> bool:
        return bool(self._maps)

    async def apply(self, recipient: str, domain: str, transport: str, nexthop: str) -> tuple[str, str]:
        """Return transport and next hop, changed or not; TableUnavailable when it could not look."""
        found = await self._maps.find_keys(transport_keys(recipient, self._extensions, parents=self._parents))
        value = found.value if found else await self._maps.find("*")
        if value is None:
            return transport, nexthop
        return overridden(value, domain, transport, nexthop)


def overridden(value: str, domain: str, transport: str, nexthop: str) -> tuple[str, str]:
    """Apply a value of the table: ``transport:nexthop``, ``transport:``, ``:nexthop`` or ``:``.

    A transport without a next hop resets the next hop to the recipient's domain.
    """
    new_transport, _, new_nexthop = value.partition(":")
    if not new_transport:
        return transport, new_nexthop or nexthop
    if new_nexthop:
        return new_transport, new_nexthop
    return new_transport, "Address is undeliverable" if new_transport == "error" else domain
