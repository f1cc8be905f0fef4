"""Where an address goes: what trivial-rewrite(8) calls resolving."""

from __future__ import annotations

import re
from typing import NamedTuple

from postroad.base.errors import TableUnavailable
from postroad.base.log import Event, Log
from postroad.base.params import Param, Settings
from postroad.mail.address import Extensions
from postroad.model.params import (
    ALLOW_MIN_USER,
    DEFAULT_TRANSPORT,
    DOUBLE_BOUNCE_SENDER,
    LOCAL_TRANSPORT,
    RECIPIENT_DELIMITER,
    RELAY_TRANSPORT,
    VIRTUAL_TRANSPORT,
)
from postroad.model.route import AddressClass, Route
from postroad.net.interfaces import OwnAddresses
from postroad.routing.classes import Classes
from postroad.routing.params import (
    EMPTY_ADDRESS_DEFAULT_TRANSPORT_KEY,
    EMPTY_ADDRESS_RELAYHOST_KEY,
    RELAYHOST,
    RELOCATED_MAPS,
    SENDER_DEPENDENT_DEFAULT_TRANSPORT_MAPS,
    SENDER_DEPENDENT_RELAYHOST_MAPS,
    SHOW_USER_UNKNOWN_TABLE_NAME,
)
from postroad.routing.resolve import AddressResolver, Resolved
from postroad.routing.transports import TransportTable
from postroad.tables.context import TableContext
from postroad.tables.maps import Maps
from postroad.tables.ours import OwnDomains

#: Domains that are remembered, with their route, where no table can change it.
_CACHED = 10000
_OPERATORS = re.compile("[@%!]")
_BAD_ADDRESS = "5.1.3 bad address syntax"
_DISCARDED = "undeliverable postmaster notification discarded"

NULL_TRANSPORT = Event(
    "trivial-rewrite",
    "warning: parameter %s: null transport is not allowed",
    "A transport parameter begins with a colon or is empty; the mail is kept.",
    urgent=True,
)


class Resolution(NamedTuple):
    """A route before the queue's own rules; ``valid`` is False for an address with a bad domain."""

    route: Route
    valid: bool


def extensions_of(settings: Settings) -> Extensions:
    """Return how local parts are split."""
    return Extensions(
        settings[RECIPIENT_DELIMITER],
        settings[DOUBLE_BOUNCE_SENDER],
        settings.texts.get("owner_request_special", "yes") == "yes",
    )


class _SenderMaps:
    """A sender-dependent table; DUNNO in it means nothing was said."""

    __slots__ = ("_extensions", "_maps", "_null")

    def __init__(self, maps: Maps, null: str, extensions: Extensions) -> None:
        self._maps = maps
        self._null = null
        self._extensions = extensions

    def __bool__(self) -> bool:
        return bool(self._maps)

    async def find(self, sender: str) -> str | None:
        if not self._maps:
            return None
        found = await self._maps.find_address(sender or self._null, self._extensions)
        return None if found is None or found.value.upper() == "DUNNO" else found.value


class Router:
    """Implements ``model.ports.Router``.  Made once for each set of settings.

    ``own`` are the addresses whose literals (``user@[192.0.2.1]``) are local.
    """

    def __init__(self, settings: Settings, context: TableContext, log: Log, own: OwnAddresses) -> None:
        self.ours = OwnDomains(settings, context, (*own.own, *own.proxy))
        self.extensions = extensions_of(settings)
        self._log = log
        self._resolver = AddressResolver(settings, self.ours)
        self._classes = Classes(settings, context, log)
        self._table = TransportTable(settings, context, self.extensions)
        self._relocated = self._maps(settings, context, RELOCATED_MAPS)
        self._transports = self._sender_maps(
            settings, context, SENDER_DEPENDENT_DEFAULT_TRANSPORT_MAPS, EMPTY_ADDRESS_DEFAULT_TRANSPORT_KEY
        )
        self._relayhosts = self._sender_maps(
            settings, context, SENDER_DEPENDENT_RELAYHOST_MAPS, EMPTY_ADDRESS_RELAYHOST_KEY
        )
        self._parameters: dict[AddressClass, Param[str]] = {
            AddressClass.LOCAL: LOCAL_TRANSPORT,
            AddressClass.VIRTUAL_MAILBOX: VIRTUAL_TRANSPORT,
            AddressClass.RELAY: RELAY_TRANSPORT,
            AddressClass.DEFAULT: DEFAULT_TRANSPORT,
        }
        self._defaults = {each: settings[param] for each, param in self._parameters.items()}
        self._relayhost = settings[RELAYHOST]
        named = " in virtual alias table" if settings[SHOW_USER_UNKNOWN_TABLE_NAME] else ""
        self._unknown_alias = f"5.1.1 User unknown{named}"
        self._allow_minus = settings[ALLOW_MIN_USER]
        self._double_bounce = settings[DOUBLE_BOUNCE_SENDER].lower() + "@"
        fixed = not (self._table or self._relocated or self._transports or self._relayhosts)
        self._domains: dict[str, Route] | None = {} if fixed and self._classes.fixed else None

    def _maps(self, settings: Settings, context: TableContext, param: Param[tuple[str, ...]]) -> Maps:
        specs = settings[param]
        return Maps(specs, context, is_local=self.ours.matches_or_origin)

    def _sender_maps(self, settings: Settings, context: TableContext, param: Param[tuple[str, ...]], null: Param[str]) -> _SenderMaps:  # fmt: skip  # noqa: E501
        return _SenderMaps(self._maps(settings, context, param), settings[null], self.extensions)

    async def route(self, address: str, sender: str = "") -> Route:
        """Return where an address (internal form, rewritten) goes; TableUnavailable: could not look."""
        return self._queued(await self.resolve(address, sender))

    def remembered(self, address: str) -> tuple[str, str] | None:
        """Return transport and next hop, if no table can change them and the domain was asked for before."""
        route = self._known(address)
        if route is None or address[0] == "-":
            return None
        ours = route.address_class is AddressClass.LOCAL
        if ours and address.lower().startswith(self._double_bounce):
            return None
        return route.transport, route.nexthop

    def is_elsewhere(self, address: str) -> bool:
        """Return whether an address, as a client gave it, is known to be one that is sent on, and not ours.

        False where that is not known without asking.
        """
        # What is remembered is in standard form, so that nothing would be appended to it.
        route = self._known(address)
        if route is None or (address[0] == "-" and not self._allow_minus):
            return False
        return route.address_class is AddressClass.DEFAULT and route.transport not in ("error", "retry")

    async def classify(self, address: str) -> AddressClass:
        """Return the class of an address."""
        return (await self.route(address)).address_class

    async def is_valid(self, address: str) -> bool:
        """Return whether an address (rewritten) has a domain that can be one, and no leading minus.

        smtpd asks this of each address; what fails is answered 501 5.1.3.
        """
        resolved = await self._resolver.resolve(address)
        return resolved.valid and (self._allow_minus or not resolved.recipient.startswith("-"))

    async def address_class(self, domain: str) -> AddressClass:
        """Return the class of a domain."""
        return await self._classes.of(domain, ours=await self.ours.matches(domain))

    def _queued(self, resolution: Resolution) -> Route:
        """Apply what Postfix's queue manager adds: bad addresses bounce, double bounces vanish."""
        route = resolution.route
        if not resolution.valid or (route.recipient.startswith("-") and not self._allow_minus):
            # A leading minus would be an option to the programs that mail may be piped to.
            return route._replace(transport="error", nexthop=_BAD_ADDRESS)
        if route.address_class is AddressClass.LOCAL and route.recipient.lower().startswith(
            self._double_bounce
        ):
            return route._replace(transport="discard", nexthop=_DISCARDED)
        return route

    async def resolve(self, address: str, sender: str = "") -> Resolution:
        """Return the route alone, as smtpd's checks of recipients want it."""
        resolution = self._recall(address)
        if resolution is not None:
            return resolution
        resolution = await self._resolve(address, sender)
        local, _, domain = address.rpartition("@")
        plain = local and not _OPERATORS.search(local)
        domains = self._domains
        if domains is not None and plain and resolution.valid and resolution.route.recipient == address:
            if len(domains) >= _CACHED:
                domains.clear()
            domains[domain] = resolution.route
        return resolution

    def _recall(self, address: str) -> Resolution | None:
        """Return the resolution of a plain address in a domain that is remembered."""
        route = self._known(address)
        if route is None:
            return None
        return Resolution(Route(route.transport, route.nexthop, address, route.address_class), valid=True)

    def _known(self, address: str) -> Route | None:
        """Return the remembered route of a domain, if it is that of this address, too: of every plain one."""
        if not self._domains:
            return None
        local, _, domain = address.rpartition("@")
        route = self._domains.get(domain)
        if route is None or not local or "%" in local or "!" in local or "@" in local:
            return None
        return route

    async def _resolve(self, address: str, sender: str) -> Resolution:
        resolved = await self._resolver.resolve(address)
        if not resolved.valid:
            route = Route("error", _BAD_ADDRESS, resolved.recipient, AddressClass.DEFAULT)
            return Resolution(route, valid=False)
        address_class = await self._classes.of(resolved.domain, ours=resolved.ours)
        transport, nexthop = await self._by_class(address_class, resolved, sender)
        if self._table and address_class is not AddressClass.VIRTUAL_ALIAS:
            transport, nexthop = await self._table.apply(
                resolved.recipient, resolved.domain.lower(), transport, nexthop
            )
        if self._relocated:
            moved = await self._relocated.find_address(resolved.recipient, self.extensions)
            if moved is not None:
                transport, nexthop = "error", f"5.1.6 User has moved to {moved.value}"
        return Resolution(Route(transport, nexthop, resolved.recipient, address_class), valid=True)

    async def _by_class(
        self, address_class: AddressClass, resolved: Resolved, sender: str
    ) -> tuple[str, str]:
        if address_class is AddressClass.VIRTUAL_ALIAS:
            # Aliases were replaced before; who is still here has none.
            return "error", self._unknown_alias
        nexthop = resolved.domain.lower()
        setting, blame = self._defaults[address_class], self._parameters[address_class].name
        if address_class is AddressClass.DEFAULT:
            own = await self._transports.find(sender)
            if own:
                setting, blame = own, SENDER_DEPENDENT_DEFAULT_TRANSPORT_MAPS.name
        if address_class in (AddressClass.DEFAULT, AddressClass.RELAY):
            nexthop = await self._relayhosts.find(sender) or self._relayhost or nexthop
        transport, _, destination = setting.partition(":")
        if not transport:
            self._log.emit(NULL_TRANSPORT, blame)
            raise TableUnavailable(f"parameter {blame}: null transport is not allowed")
        return transport, destination or nexthop
