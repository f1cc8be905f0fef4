"""Restrictions that ask the DNS whether a name exists."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from postroad.mail.address import fold
from postroad.model.reply import Reply
from postroad.model.route import AddressClass
from postroad.policy import query as q
from postroad.policy.envelope import Envelope
from postroad.policy.lookup import Found, find_host, find_mail_host
from postroad.policy.params import (
    UNKNOWN_ADDRESS_REJECT_CODE,
    UNKNOWN_ADDRESS_TEMPFAIL_ACTION,
    UNKNOWN_HELO_TEMPFAIL_ACTION,
    UNKNOWN_HOSTNAME_REJECT_CODE,
)
from postroad.policy.query import Query
from postroad.policy.services import Services
from postroad.policy.syntax import literal_fault, refused
from postroad.policy.verdict import Check, Verdict

_OURS = (AddressClass.LOCAL, AddressClass.VIRTUAL_ALIAS, AddressClass.VIRTUAL_MAILBOX)
_MALFORMED = "Malformed DNS server reply"
_ALL_DROPPED = "lookup error: DNS reply filter drops all results"


def _in_doubt(action: str) -> Callable[[Query, Reply], Verdict]:
    """Return what is done with a 4xx when the DNS could not be asked."""
    return (lambda _query, reply: reply) if action == "defer" else Query.defer_if_permit


def reject_unknown_helo_hostname(services: Services) -> Check:
    """``reject_unknown_helo_hostname``: no to a HELO name that has neither an address nor an MX."""
    settings, resolver, fault = services.settings, services.resolver, literal_fault(services)
    code, in_doubt = settings[UNKNOWN_HOSTNAME_REJECT_CODE], _in_doubt(settings[UNKNOWN_HELO_TEMPFAIL_ACTION])

    async def ask(query: Query, name: str) -> Verdict:
        found = await find_host(resolver, name)
        if found is Found.FOUND:
            return None
        if found is Found.DROPPED:
            services.log.warning("smtpd", f"{name}: address or MX {_ALL_DROPPED}")
            return None
        if found is Found.FAILED:
            return in_doubt(query, refused(450, "4.7.1", name, q.HELO, "Host not found"))
        why = _MALFORMED if found is Found.MALFORMED else "Host not found"
        return refused(code, "4.7.1", name, q.HELO, why)

    def check(query: Query) -> Verdict | Coroutine[Any, Any, Verdict]:
        name = query.session.helo
        if not name:
            return None
        return fault(name) if name.startswith("[") else ask(query, name)

    return check


class _Domains:
    """Asks whether mail can be sent to the domain of an address."""

    __slots__ = ("_code", "_envelope", "_in_doubt", "_kind", "_log", "_null_mx", "_resolver", "_status")

    def __init__(self, services: Services, kind: str) -> None:
        settings = services.settings
        self._resolver = services.resolver
        self._envelope = Envelope(services)
        self._code = settings[UNKNOWN_ADDRESS_REJECT_CODE]
        self._in_doubt = _in_doubt(settings[UNKNOWN_ADDRESS_TEMPFAIL_ACTION])
        self._kind = kind
        self._log = services.log
        self._status = "4.1.8" if kind is q.SENDER else "4.1.2"
        # RFC 7505 4.1, 4.2
        self._null_mx = (550, "5.7.27") if kind is q.SENDER else (556, "5.1.10")

    async def ask(self, query: Query, address: str) -> Verdict:
        """Refuse the address when its domain does not exist.  Domains of ours need no DNS."""
        route = await self._envelope.route(address, query)
        domain = fold(route.recipient.rpartition("@")[2])
        if route.address_class in _OURS or (domain.startswith("[") and domain.endswith("]")):
            return None
        found = await find_mail_host(self._resolver, domain)
        if found is Found.FOUND:
            return None
        if found is Found.DROPPED:
            self._log.warning("smtpd", f"{domain}: MX or address {_ALL_DROPPED}")
            return None
        if found is Found.FAILED:
            return self._in_doubt(query, self._refused(450, self._status, address, "Domain not found"))
        if found is Found.NULL_MX:
            return self._refused(*self._null_mx, address, f"Domain {domain} does not accept mail (nullMX)")
        why = _MALFORMED if found is Found.MALFORMED else "Domain not found"
        return self._refused(self._code, self._status, address, why)

    def _refused(self, code: int, status: str, address: str, why: str) -> Reply:
        return refused(code, status, address, self._kind, why)


def reject_unknown_sender_domain(services: Services) -> Check:
    """``reject_unknown_sender_domain``: no to a sender whose domain has neither an MX nor an address."""
    domains = _Domains(services, q.SENDER)

    def check(query: Query) -> Coroutine[Any, Any, Verdict] | None:
        sender = query.session.transaction.sender
        return domains.ask(query, sender) if sender else None

    return check


def reject_unknown_recipient_domain(services: Services) -> Check:
    """``reject_unknown_recipient_domain``: no to a recipient whose domain has neither."""
    domains = _Domains(services, q.RECIPIENT)
    return lambda query: domains.ask(query, query.recipient) if query.recipient else None
