"""Where the SMTP and LMTP clients connect: a next hop becomes hosts with addresses, in order.

Follows Postfix's smtp_addr(3) in what is looked up, in what order it is tried and in what is said
when there is nothing to try.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Sequence
from dataclasses import replace
from typing import NamedTuple

from postroad.base.errors import LookupUnavailable
from postroad.base.kinds import split_list
from postroad.base.log import Event, Log
from postroad.base.params import Settings
from postroad.model.ports import Resolver
from postroad.net.answer import Answer
from postroad.net.destination import BadDestinationError, parse_destination
from postroad.net.filtered import AllDropped, rank, reason_of, unfiltered
from postroad.net.hostname import ascii_name, bare_address, is_hostname
from postroad.net.hostsfile import HostsFile
from postroad.net.interfaces import OwnAddresses, families
from postroad.net.params import (
    ADDRESS_PREFERENCE,
    BALANCE_INET_PROTOCOLS,
    BEST_MX_TRANSPORT,
    DEFER_IF_NO_MX_ADDRESS_FOUND,
    DISABLE_DNS_LOOKUPS,
    DNS_SUPPORT_LEVEL,
    HOST_LOOKUP,
    IGNORE_MX_LOOKUP_ERROR,
    MX_ADDRESS_LIMIT,
    RANDOMIZE_ADDRESSES,
)

#: No more MX hosts than this are looked up; 100 MX records with 100 addresses each are an attack.
_MX_LIMIT = 20
_SMTP_PORT = 25
_KINDS = {4: "A", 6: "AAAA"}
_NOT_FOUND = "Host or domain name not found."

NO_ADDRESS = Event(
    "smtp",
    "warning: no MX host for %s has a valid address record",
    "The domain has MX records, but none leads to an address.",
    urgent=True,
)
RELAYHOST_PROBLEM = Event(
    "smtp",
    "warning: relayhost configuration problem",
    "The relay host cannot be found, or is this system; the mail is kept.",
    urgent=True,
)


class Host(NamedTuple):
    """A place to connect to.  ``site`` counts the next hops of a list, from 0.

    Under ``smtp_dns_support_level = dnssec``: ``secure_mx`` says that the MX records that named the
    host are validated, or that none did, because the next hop names it itself; ``secure`` that its
    address is validated, aliases included.  ``canonical`` is the end of the aliases of ``name``, and
    ``mx_domain`` of those of the domain whose MX record named the host; "" where there are none.
    """

    name: str
    address: str
    port: int
    preference: int = 0
    site: int = 0
    secure_mx: bool = False
    secure: bool = False
    canonical: str = ""
    mx_domain: str = ""


class _Place(NamedTuple):
    """An address; whether it is validated; the end of the aliases that led to it."""

    address: str
    secure: bool = False
    canonical: str = ""


class NoHosts(Exception):  # noqa: N818 - an answer, not a defect
    """There is nowhere to connect.

    ``status`` is an enhanced status code whose first digit says defer (4) or bounce (5); ``text`` is
    the reason as Postfix says it.  ``loop``: the destination is this system.  ``transport``: give
    the mail to this ``transport:nexthop`` instead (best_mx_transport), "" for none.
    """

    def __init__(self, status: str, text: str, *, loop: bool = False, transport: str = "") -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.loop = loop
        self.transport = transport


class _Why:
    """The reason for having no host so far; a soft one outlives every hard one."""

    __slots__ = ("status", "text")

    def __init__(self) -> None:
        self.status = ""
        self.text = ""

    def fail(self, rest: str, text: str, *, soft: bool) -> None:
        """Note a reason: ``rest`` is the status behind its first digit."""
        self.status = ("4" if soft or self.status.startswith("4") else "5") + rest
        self.text = text


class MailHosts:
    """Finds the hosts of next hops for one client program; call it with a next hop.

    ``rng`` shuffles.  ``hosts`` serves ``smtp_host_lookup = native``.
    """

    def __init__(
        self,
        settings: Settings,
        resolver: Resolver,
        own: OwnAddresses,
        hosts: HostsFile,
        log: Log,
        *,
        rng: random.Random,
        program: str = "smtp",
    ) -> None:
        self._resolver = resolver
        self._own = own
        self._hosts = hosts
        self._log = log
        self._rng = rng
        self._families = families(settings)
        self._smtp = program == "smtp"
        self._default_port = settings.texts.get(f"{program}_tcp_port") or ("smtp" if self._smtp else "24")
        level = settings[DNS_SUPPORT_LEVEL[program]]
        disabled = level == "disabled" or (not level and settings[DISABLE_DNS_LOOKUPS])
        self._mx = self._smtp and not disabled
        #: Whether what is validated is noted: DANE asks for it.
        self._dnssec = level == "dnssec"
        lookup = settings[HOST_LOOKUP[program]]
        self._dns = "dns" in lookup and not disabled
        self._native = "native" in lookup or disabled
        #: Who knows addresses: the system's name service has no filter.
        self._names = resolver if self._dns else unfiltered(resolver)
        self._ignore_mx_error = settings[IGNORE_MX_LOOKUP_ERROR]
        self._defer_no_address = settings[DEFER_IF_NO_MX_ADDRESS_FOUND[program]]
        self._preference = settings[ADDRESS_PREFERENCE[program]]
        self._limit = settings[MX_ADDRESS_LIMIT[program]]
        self._balance = settings[BALANCE_INET_PROTOCOLS[program]]
        self._shuffle = settings[RANDOMIZE_ADDRESSES[program]]
        self._best_mx_transport = settings[BEST_MX_TRANSPORT] if self._smtp else ""
        self._relayhost = settings.texts.get("relayhost", "") if self._smtp else ""

    async def __call__(self, nexthop: str) -> Sequence[Host]:
        """Return the hosts of a next hop, or of a list of them, in the order of trying; raises NoHosts."""
        sites = split_list(nexthop)
        if not sites or not self._families:
            raise NoHosts("4.4.4", "all network protocols are disabled" if sites else "null destination")
        found: list[Host] = []
        failure: NoHosts | None = None
        for number, site in enumerate(sites):
            try:
                hosts, last = await self._site(site)
            except NoHosts as error:
                failure = error
                if error.loop:
                    break  # a further host would only make the loop longer
                continue
            found += [host._replace(site=number) for host in hosts]
            if last:
                break
        if found:
            return found
        assert failure is not None
        raise self._as_configured(failure, sites[0])

    def _as_configured(self, failure: NoHosts, first: str) -> NoHosts:
        """What may be our operator's mistake does not bounce the users' mail."""
        if failure.status.startswith("4"):
            return failure
        if self._relayhost and first == self._relayhost:
            self._log.emit(RELAYHOST_PROBLEM)
            return NoHosts("4.3.5", failure.text, loop=failure.loop)
        if failure.loop and self._best_mx_transport:
            return NoHosts(failure.status, failure.text, loop=True, transport=self._best_mx_transport)
        return failure

    async def _site(self, site: str) -> tuple[list[Host], bool]:
        """Return the hosts of one next hop, and whether no other may be tried behind it."""
        try:
            domain, port = parse_destination(site, self._default_port)
        except BadDestinationError as error:
            raise NoHosts("4.3.5", str(error)) from None  # a mistake in a table, not the user's
        why = _Why()
        loops = self._smtp and port == _SMTP_PORT
        literal = site.startswith("[")
        if self._mx and not literal:
            hosts, last = await self._by_mx(domain, port, why, loops=loops)
        else:
            hosts, last = await self._by_address(domain, port, why, loops=loops), False
        if not hosts:
            raise NoHosts(
                why.status or "4.3.0",
                why.text or "server unavailable or unable to receive mail",
                loop=why.status == "5.4.6",
            )
        return hosts, last

    async def _by_mx(self, domain: str, port: int, why: _Why, *, loops: bool) -> tuple[list[Host], bool]:
        name = ascii_name(domain) or domain
        if bare_address(name) or not is_hostname(name):
            # RFC 5321 5.1: an address has no MX.
            why.fail(".4.4", f"Name service error for {name}: invalid host or domain name", soft=False)
            return await self._by_address(domain, port, why, loops=loops), False
        try:
            answer = await self._resolver.query(name, "MX")
        except LookupUnavailable as error:
            why.fail(*reason_of(error, name, "MX"), soft=True)
            if self._ignore_mx_error and not isinstance(error, AllDropped):
                return await self._by_address(domain, port, _reset(why), loops=loops), False
            return [], False
        if not answer.records:
            return await self._by_address(domain, port, _reset(why), loops=loops), False  # RFC 5321 5.1
        if any(not host for _, host in answer.records):  # RFC 7505 3
            why.fail(".1.0", f"Domain {name} does not accept mail (nullMX)", soft=False)
            return [], False
        exchangers = sorted(mx for mx in answer.records if is_hostname(mx[1]) or bare_address(mx[1]))
        if not exchangers:
            text = f"Name service error for name={name} type=MX: Malformed or unexpected name server reply"
            why.fail(".4.4", text, soft=False)
            if self._ignore_mx_error:
                return await self._by_address(domain, port, _reset(why), loops=loops), False
            return [], False
        answer = replace(answer, records=tuple(exchangers[:_MX_LIMIT]))
        return await self._exchangers(domain, answer, port, why, loops=loops)

    async def _exchangers(self, domain: str, answer: Answer, port: int, why: _Why, *, loops: bool) -> tuple[list[Host], bool]:  # fmt: skip  # noqa: E501
        hosts: list[Host] = []
        exchangers = answer.records
        secure, mx_domain = (answer.authentic, answer.name) if self._dnssec else (False, "")
        asked = [self._questions(name) for _, name in exchangers]  # all at the same time
        for (preference, name), questions in zip(exchangers, asked, strict=True):
            places = await self._addresses(name, questions, why)
            hosts += [
                Host(
                    name, place.address, port, preference, 0, secure, place.secure, place.canonical, mx_domain
                )
                for place in places
            ]
        if not hosts:
            if self._defer_no_address:
                why.status = "4" + why.status[1:]
            self._log.emit(NO_ADDRESS, domain)
            return [], False
        # RFC 5321 5.1: only hosts better than ourselves, or mail would run in a circle.
        mine = min((h.preference for h in hosts if loops and h.address in self._own), default=None)
        if mine is not None:
            best_found = hosts[0].preference
            hosts = [host for host in hosts if host.preference < mine]
            if not hosts and exchangers[0][0] != best_found:
                why.status, why.text = "4.4.4", f"unable to find primary relay for {domain}"
            elif not hosts:
                why.status, why.text = "5.4.6", f"mail for {domain} loops back to myself"
        return self._order(hosts), mine is not None

    async def _by_address(self, domain: str, port: int, why: _Why, *, loops: bool) -> list[Host]:
        name = ascii_name(domain) or domain
        places = await self._addresses(name, self._questions(name), why)
        hosts = [Host(name, place[0], port, 0, 0, self._dnssec, place[1], place[2]) for place in places]
        if loops and any(host.address in self._own for host in hosts):
            why.status, why.text = "5.4.6", f"mail for {domain} loops back to myself"
            return []
        return self._order(hosts)

    async def _addresses(
        self, name: str, questions: Sequence[Awaitable[Answer]], why: _Why
    ) -> Sequence[_Place]:
        """Return a host's addresses; the reason is noted when there are none."""
        numeric = bare_address(name[5:] if name[:5].lower() == "ipv6:" else name)
        if numeric:
            if (6 if ":" in numeric else 4) in self._families:
                return (_Place(numeric),)
            why.fail(".4.4", f"{name}: host not found", soft=False)
            return ()
        if not is_hostname(name):
            why.fail(".4.4", f"Name service error for {name}: invalid host or domain name", soft=False)
            return ()
        if self._dns:
            found = await self._ask(name, questions, why)
            if found is not None:
                return found
        if self._native:
            known = [_Place(a) for family in self._families for a in self._hosts.addresses(name, family)]
            return known or (() if self._dns else await self._ask_natively(name, questions, why))
        return ()

    def _questions(self, name: str) -> list[Awaitable[Answer]]:
        """Ask for a host's addresses, of each family."""
        if bare_address(name) or not is_hostname(name):
            return []
        return [self._names.query(name, _KINDS[family]) for family in self._families]

    async def _ask(self, name: str, questions: Sequence[Awaitable[Answer]], why: _Why) -> Sequence[_Place] | None:  # fmt: skip  # noqa: E501
        """Wait for the DNS.  None: it says there is no address; another source may know one."""
        found, failed, missing = await _gather(questions, noted=self._dnssec)
        if found:
            return found
        if failed is not None:
            number, error = failed
            why.fail(*reason_of(error, name, _KINDS[self._families[number]]), soft=True)
            return ()
        reason = "Host not found" if missing else "Host found but no data record of requested type"
        kind = _KINDS[self._families[-1]]
        why.fail(".4.4", f"{_NOT_FOUND} Name service error for name={name} type={kind}: {reason}", soft=False)
        return None

    async def _ask_natively(self, name: str, questions: Sequence[Awaitable[Answer]], why: _Why) -> Sequence[_Place]:  # fmt: skip  # noqa: E501
        found, failed, missing = await _gather(questions)
        if found:
            return found
        reason = "Name or service not known" if missing else "No address associated with hostname"
        if failed is not None:
            reason = "Temporary failure in name resolution"
        why.fail(".4.4", f"unable to look up host {name}: {reason}", soft=failed is not None)
        return ()

    def _order(self, hosts: list[Host]) -> list[Host]:
        """Shuffle, sort by preference and family, and cut to the limit."""
        if self._shuffle:
            self._rng.shuffle(hosts)  # RFC 5321 5.1
        first = {"ipv4": False, "ipv6": True}.get(self._preference)
        hosts.sort(key=lambda h: (h.preference, first is not None and (":" in h.address) != first))
        if not self._limit or len(hosts) <= self._limit:
            return hosts
        return balanced(hosts, self._limit) if self._balance else hosts[: self._limit]


async def _gather(questions: Sequence[Awaitable[Answer]], *, noted: bool = False) -> tuple[list[_Place], tuple[int, LookupUnavailable] | None, bool]:  # fmt: skip  # noqa: E501
    """Return the addresses, which question failed (None: none) and how, and whether the name is missing.

    ``noted``: with what is known of their security.
    """
    found: list[_Place] = []
    failed: tuple[int, LookupUnavailable] | None = None
    missing = False
    for number, question in enumerate(questions):
        try:
            answer = await question
        except LookupUnavailable as error:
            if failed is None or rank(error) >= rank(failed[1]):
                failed = number, error
        else:
            how = (answer.authentic, answer.name) if noted else ()
            found += [_Place(address, *how) for address in answer.records]
            missing = answer.nxdomain
    return found, failed, missing


def _reset(why: _Why) -> _Why:
    why.status = why.text = ""
    return why


def balanced(hosts: list[Host], limit: int) -> list[Host]:
    """Cut a list so that neither IPv4 nor IPv6 crowds the other out; the order stays."""
    six = sum(":" in host.address for host in hosts)
    four = len(hosts) - six
    half = limit // 2
    if six <= half:
        left = {True: six, False: limit - six}
    elif four <= half:
        left = {True: limit - four, False: four}
    else:
        fours = (limit + (":" not in hosts[0].address)) // 2
        left = {True: limit - fours, False: fours}
    kept: list[Host] = []
    for host in hosts:
        is_six = ":" in host.address
        if left[is_six] > 0:
            left[is_six] -= 1
            kept.append(host)
    return kept
