"""``permit_mx_backup``: yes to mail for domains that name us as one of their lesser mail exchangers."""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from typing import Any, Final

from postroad.base.errors import LookupUnavailable, TableUnavailable
from postroad.model.reply import Reply
from postroad.model.route import AddressClass
from postroad.net.filtered import AllDropped, unfiltered
from postroad.net.hostname import ascii_name
from postroad.net.interfaces import families
from postroad.policy import query as q
from postroad.policy.envelope import Envelope, is_authorized, is_routed
from postroad.policy.params import ALLOW_UNTRUSTED_ROUTING, MX_BACKUP_NETWORKS
from postroad.policy.query import Query
from postroad.policy.services import Services
from postroad.policy.verdict import PERMIT, Check, Verdict
from postroad.proto.hostname import valid_address
from postroad.tables.matchlist import AddressList, parents_of

_LOST: Final = "Temporary failure in name resolution"
_MISSING: Final = "Name or service not known"
_EMPTY: Final = "No address associated with hostname"


def backup_networks(services: Services) -> AddressList:
    """Return permit_mx_backup_networks.  ValueError for a list that cannot be used."""
    name = MX_BACKUP_NETWORKS.name
    members, parents = services.settings[MX_BACKUP_NETWORKS], parents_of(services.settings, name)
    try:
        return AddressList(members, services.tables, parents=parents)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error


def permit_mx_backup(services: Services) -> Check:
    """``permit_mx_backup``: yes to our own recipients, and to those for whom the DNS names us.

    Whoever has a zone can name us in it; only permit_mx_backup_networks says whom that helps.
    """
    backup = _Backup(services)
    return lambda query: backup.ask(query) if query.recipient else None


class _Backup:
    """Looks whether we are an exchanger of a domain, and not its first."""

    __slots__ = ("_envelope", "_kinds", "_names", "_networks", "_resolver", "_router", "_trust_routing")

    def __init__(self, services: Services) -> None:
        self._envelope = Envelope(services)
        self._router = services.router
        self._resolver = services.resolver
        self._names = unfiltered(services.resolver)  # Postfix asks the system for addresses
        self._networks = backup_networks(services)
        self._trust_routing = services.settings[ALLOW_UNTRUSTED_ROUTING]
        self._kinds = [{4: "A", 6: "AAAA"}[family] for family in families(services.settings)]

    def ask(self, query: Query) -> Coroutine[Any, Any, Verdict]:
        """Judge the recipient; what cannot be looked up makes a later 5xx a 4xx."""
        return self._judge(query)

    async def _judge(self, query: Query) -> Verdict:
        route = await self._envelope.route(query.recipient, query)
        if is_authorized(route, trust_routing=self._trust_routing):
            return PERMIT
        domain = route.recipient.rpartition("@")[2]
        if domain.startswith("[") or (is_routed(route.recipient) and not self._trust_routing):
            return None
        try:
            exchangers = await self._resolver.mx(ascii_name(domain) or domain)
        except LookupUnavailable as error:
            dropped = isinstance(error, AllDropped)
            why = "DNS reply filter policy" if dropped else "Host not found, try again"
            _in_doubt(query, f"Unable to look up mail exchanger information: {why}")
            return None
        named = [(preference, host) for preference, host in exchangers if host]  # RFC 7505
        best = min(named, default=(0, ""))[0]
        first = [host for preference, host in named if preference == best]
        rest = [host for preference, host in named if preference != best]
        if not named or await self._are_we(query, first) or not await self._are_we(query, rest):
            return None
        return PERMIT if await self._are_trusted(query, first) else None

    async def _are_we(self, query: Query, hosts: Sequence[str]) -> bool:
        """Return whether one of the hosts is this one: by its name, or else by an address."""
        for host in hosts:
            if await self._is_ours(host):
                return True
        for host in hosts:
            found = await self._addresses(host)
            if isinstance(found, str):
                _in_doubt(query, f"Unable to look up mail exchanger host {host}: {found}")
                continue
            for address in found:
                if await self._is_ours(f"[IPv6:{address}]" if ":" in address else f"[{address}]"):
                    return True
        return False

    async def _is_ours(self, domain: str) -> bool:
        route = await self._router.route(f"postmaster@{domain}", "")
        return route.address_class is AddressClass.LOCAL

    async def _are_trusted(self, query: Query, hosts: Sequence[str]) -> bool:
        """Return whether every address of the first exchangers is in permit_mx_backup_networks."""
        if not self._networks:
            return True
        for host in hosts:
            found = await self._addresses(host)
            if isinstance(found, str):
                _in_doubt(query, f"Unable to look up host {host} as mail exchanger: {found}")
                return False
            try:
                if not all([await self._networks.matches(address, host) for address in found]):
                    return False
            except TableUnavailable:
                _in_doubt(query, f"Unable to verify host {host} as mail exchanger")
                return False
        return True

    async def _addresses(self, host: str) -> Sequence[str] | str:
        """Return a host's addresses, or why there are none, as the system's resolver says it."""
        if valid_address(host):
            return (host,)
        found: list[str] = []
        why = _MISSING
        for kind in self._kinds:
            try:
                answer = await self._names.query(host, kind)
            except LookupUnavailable:
                why = _LOST
                continue
            found += answer.records
            if why is _MISSING and not answer.nxdomain:
                why = _EMPTY
        return found or why


def _in_doubt(query: Query, why: str) -> None:
    name = query.recipient
    query.defer_if_reject(Reply(450, "4.4.4", f"<{name}>: {q.RECIPIENT} rejected: {why}"))
