"""Restrictions that ask lists in the DNS about the client and what it says."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final

from postroad.base.errors import LookupUnavailable
from postroad.net.filtered import BrokenFilter
from postroad.policy import query as q
from postroad.policy.access import Taker
from postroad.policy.dnslist import DnsList, Listing
from postroad.policy.dnslist_reply import ListReplies
from postroad.policy.envelope import Envelope
from postroad.policy.params import MAPS_RBL_DOMAINS
from postroad.policy.query import Query
from postroad.policy.services import Services
from postroad.policy.syntax import refused
from postroad.policy.verdict import PERMIT, Check, Verdict

#: What is looked for, "" for nothing.
What = Callable[[Query], str]


def _address(query: Query) -> str:
    return query.session.client.address


def _client_name(query: Query) -> str:
    return _known(query.session.client.name)


def _reverse_name(query: Query) -> str:
    return _known(query.session.client.reverse_name)


def _known(name: str) -> str:
    return "" if name.lower() == "unknown" else name


def _helo(query: Query) -> str:
    return query.session.helo


def _sender(query: Query) -> str:
    return query.session.transaction.sender or ""


def _recipient(query: Query) -> str:
    return query.recipient


async def _find(source: DnsList, what: str, *, address: bool) -> Listing | None:
    return await (source.find_address(what) if address else source.find_domain(what))


def _rejecting(services: Services, lists: Sequence[str], what_of: What, kind: str) -> Check:
    """Return a check that refuses what a list names.  A list that does not answer names nothing."""
    sources = [DnsList(text, services.resolver, services.log) for text in lists]
    replies, address = ListReplies(services), what_of is _address

    async def ask(query: Query, what: str) -> Verdict:
        for source in sources:
            try:
                listing = await _find(source, what, address=address)
            except BrokenFilter:
                raise  # that is our own mistake, not the list's
            except LookupUnavailable:
                continue  # else whoever runs a list could stop all mail by switching it off
            if listing is not None:
                return await replies.reply(query, source, listing, what, kind)
        return None

    def check(query: Query) -> Coroutine[Any, Any, Verdict] | None:
        what = what_of(query)
        return ask(query, what) if what else None

    return check


def _permitting(services: Services, text: str, what_of: What) -> Check:
    """Return a check that permits what a list names, but never mail to anywhere else.

    While the list does not answer a later 5xx becomes a 4xx.
    """
    source, envelope = DnsList(text, services.resolver, services.log), Envelope(services)
    address = what_of is _address

    async def ask(query: Query, what: str) -> Verdict:
        if query.command == "RCPT" and query.recipient and not await envelope.authorized(query):
            return None
        try:
            listing = await _find(source, what, address=address)
        except LookupUnavailable:
            query.defer_if_reject(refused(450, "4.7.1", what, q.CLIENT, "Service unavailable"))
            return None
        return None if listing is None else PERMIT

    def check(query: Query) -> Coroutine[Any, Any, Verdict] | None:
        what = what_of(query)
        return ask(query, what) if what else None

    return check


def reject_maps_rbl(services: Services) -> Check:
    """``reject_maps_rbl``, the old way: asks the lists of maps_rbl_domains."""
    lists = services.settings[MAPS_RBL_DOMAINS]
    return _rejecting(services, lists, _address, q.CLIENT)


def _taker(make: Callable[[Services, str], Check]) -> Taker:
    def taker(services: Services, name: str, argument: str, _default: str) -> Check:
        return make(services, argument) if argument else _without_argument(services, name)

    return taker


def _without_argument(services: Services, name: str) -> Check:
    def check(_query: Query) -> Verdict:
        services.log.warning("smtpd", f"restriction {name} requires domain name argument")
        return None

    return check


def _reject(what_of: What, kind: str) -> Taker:
    return _taker(lambda services, text: _rejecting(services, [text], what_of, kind))


def _permit(what_of: What) -> Taker:
    return _taker(lambda services, text: _permitting(services, text, what_of))


TAKERS: Final[dict[str, Taker]] = {
    "reject_rbl_client": _reject(_address, q.CLIENT),
    "reject_rbl": _reject(_address, q.CLIENT),
    "reject_rhsbl_client": _reject(_client_name, q.CLIENT),
    "reject_rhsbl_reverse_client": _reject(_reverse_name, q.REVERSE_CLIENT),
    "reject_rhsbl_helo": _reject(_helo, q.HELO),
    "reject_rhsbl_sender": _reject(_sender, q.SENDER),
    "reject_rhsbl_recipient": _reject(_recipient, q.RECIPIENT),
    "permit_dnswl_client": _permit(_address),
    "permit_rhswl_client": _permit(_client_name),
}
