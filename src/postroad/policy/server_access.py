"""Access tables asked about a name's servers: ``check_..._a_access``, ``_mx_``, ``_ns_``."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final, Literal, NamedTuple

from postroad.base.errors import LookupUnavailable, TableUnavailable
from postroad.mail.address import network_keys
from postroad.net.filtered import AllDropped, BrokenFilter, unfiltered
from postroad.net.hostname import ascii_name, literal_address
from postroad.net.interfaces import families
from postroad.policy import query as q
from postroad.policy.access import AccessTable, Taker, never_permits, reverse_name, taking_table
from postroad.policy.action import Subject
from postroad.policy.query import Query
from postroad.policy.services import Services
from postroad.policy.trail import Hit
from postroad.policy.verdict import Check, Verdict
from postroad.proto.hostname import valid_address

Kind = Literal["A", "MX", "NS"]


class Target(NamedTuple):
    """Whose servers are looked at: as looked up ("" for nobody's), and as a refusal names it."""

    looked_up: str
    shown: str


def _client(query: Query) -> Target:
    client = query.session.client
    return Target("" if client.name.lower() == "unknown" else client.name, client.named_address)


def _reverse_client(query: Query) -> Target:
    name = reverse_name(query)
    return Target("" if name.lower() == "unknown" else name, name)


def _helo(query: Query) -> Target:
    return Target(query.session.helo, query.session.helo)


def _sender(query: Query) -> Target:
    sender = query.session.transaction.sender or ""
    return Target(sender, sender)


def _recipient(query: Query) -> Target:
    return Target(query.recipient, query.recipient)


_TARGETS: Final[dict[str, tuple[Callable[[Query], Target], str]]] = {
    "client": (_client, q.CLIENT),
    "reverse_client_hostname": (_reverse_client, q.REVERSE_CLIENT),
    "helo": (_helo, q.HELO),
    "sender": (_sender, q.SENDER),
    "recipient": (_recipient, q.RECIPIENT),
}


class _Servers:
    """Looks for the servers of a name, and asks the table about each: its name, then its addresses.

    Who cannot be looked up is not refused for it: these zones are other people's.
    """

    __slots__ = ("_families", "_hosts", "_kind", "_log", "_names", "_resolver", "_table")

    def __init__(self, services: Services, table: AccessTable, kind: Kind) -> None:
        self._resolver = services.resolver
        self._names = unfiltered(services.resolver)  # Postfix asks the system for addresses:
        self._hosts = services.hosts  # /etc/hosts, then the DNS
        self._log = services.log
        self._families = families(services.settings)
        self._table = table
        self._kind = kind

    async def ask(self, query: Query, name: str, subject: Subject) -> Verdict:
        """Do what the table says of the first server that it knows."""
        domain = name.rpartition("@")[2]
        if domain.startswith("["):
            address = literal_address(domain) if self._kind != "NS" else None
            return await self._table.ask(query, network_keys(address), subject) if address else None
        hosts = await self._servers(ascii_name(domain) or domain, name)
        try:
            for host in hosts:
                hit = await self._find(host, subject)
                if hit is not None:
                    return await self._table.do(query, hit, subject)
        except TableUnavailable as error:
            return self._table.refuse(query, error, subject)
        return None

    async def _servers(self, domain: str, name: str) -> Sequence[str]:
        """Return the servers; a domain without MX is its own, one without NS has its parent's."""
        if self._kind == "A":
            return (domain,)
        try:
            if self._kind == "MX":
                return [host for _, host in await self._resolver.mx(domain) or ((0, domain),) if host]
            while domain:
                found: Sequence[str] = (await self._resolver.query(domain, "NS")).records
                if found:
                    return found
                domain = domain.partition(".")[2]
        except BrokenFilter:
            raise  # that is our own mistake, not theirs
        except LookupUnavailable as error:
            dropped = isinstance(error, AllDropped)
            why = "DNS reply filter policy" if dropped else "Host not found, try again"
        else:
            why = "Host not found"
        self._log.warning("smtpd", f"Unable to look up {self._kind} host for {domain or name}: {why}")
        return ()

    async def _find(self, host: str, subject: Subject) -> Hit | None:
        if valid_address(host):
            return await self._table.find(network_keys(host))
        if self._kind != "A":
            hit = await self._table.find(self._table.domain_keys(host))
            if hit is not None:
                return hit
        try:
            addresses = self._hosts(host) or await self._names.addresses(host)
        except LookupUnavailable:
            addresses = ()
        if not addresses and self._kind != "A":
            whom = f"{subject.kind} {subject.name}"
            self._log.warning("smtpd", f"Unable to look up {self._kind} host {host} for {whom}")
        for address in addresses:
            if (6 if ":" in address else 4) in self._families:
                hit = await self._table.find(network_keys(address))
                if hit is not None:
                    return hit
        return None


def _maker(name: str, kind: Kind, target_of: Callable[[Query], Target], what: str) -> Taker:
    def make(services: Services, spec: str, default: str) -> Check:
        servers = _Servers(services, AccessTable(services, spec, default), kind)

        def check(query: Query) -> Coroutine[Any, Any, Verdict] | None:
            target = target_of(query)
            if not target.looked_up:
                return None
            return servers.ask(query, target.looked_up, Subject(target.shown, what, target.looked_up))

        return never_permits(check, name, lambda query: target_of(query).looked_up)

    return taking_table(make)


def makers() -> dict[str, Taker]:
    """Return the makers of these restrictions, by name."""
    kinds: tuple[Kind, ...] = ("A", "MX", "NS")
    names = {f"check_{whose}_{kind.lower()}_access": (whose, kind) for whose in _TARGETS for kind in kinds}
    return {name: _maker(name, kind, *_TARGETS[whose]) for name, (whose, kind) in names.items()}
