"""What restrictions looked at, in words: what neither a table nor the DNS said."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from postroad.base.errors import TableUnavailable
from postroad.model.route import AddressClass
from postroad.policy.envelope import Envelope
from postroad.policy.items import Item, Sort
from postroad.policy.query import Query
from postroad.policy.services import Services

_DESTINATIONS: Final = frozenset(
    {
        "permit_auth_destination",
        "reject_unauth_destination",
        "defer_unauth_destination",
        "check_relay_domains",
        "reject_unlisted_recipient",
        "check_recipient_maps",
    }
)
_PLACES: Final = {
    AddressClass.LOCAL: "in mydestination, or an address of this machine",
    AddressClass.VIRTUAL_ALIAS: "in virtual_alias_domains",
    AddressClass.VIRTUAL_MAILBOX: "in virtual_mailbox_domains",
    AddressClass.RELAY: "in relay_domains",
    AddressClass.DEFAULT: "no domain of ours",
}
_CODES: Final = {2: "confirmed", 4: "could not be looked up", 5: "none"}


class Reasons:
    """Knows what the restrictions of one service looked at."""

    def __init__(self, services: Services) -> None:
        self._envelope = Envelope(services)

    async def of(self, item: Item, query: Query) -> str:
        """Return what a restriction looked at, "" where its look-ups and its reply say enough."""
        if item.name in _DESTINATIONS and query.recipient:
            return await self._place(query.recipient, query)
        sender = query.session.transaction.sender
        if item.name == "reject_unlisted_sender" and sender:
            return await self._place(sender, query)
        return reason_of(item, query)

    async def _place(self, address: str, query: Query) -> str:
        try:
            route = await self._envelope.route(address, query)
        except TableUnavailable:
            return ""
        domain = route.recipient.rpartition("@")[2]
        return f"{domain} is {_PLACES[route.address_class]}"


def reason_of(item: Item, query: Query) -> str:
    """Return what a restriction looked at, as far as the session alone says it."""
    if item.sort is Sort.UNKNOWN:
        return "no such restriction"
    words = _WORDS.get(item.name)
    if words is not None:
        return words(query)
    if item.name.startswith("check_sasl") and not query.session.sasl_username:
        return "not logged in"
    if item.name.endswith("login_mismatch"):
        return _login(query)
    if "_sender" in item.name and not query.session.transaction.sender:
        return "the null sender"
    return ""


def _networks(query: Query) -> str:
    client = query.session.client
    return f"{client.address} is {'in' if client.trusted else 'not in'} mynetworks"


def _login(query: Query) -> str:
    name = query.session.sasl_username
    return f"logged in as {name}" if name else "not logged in"


def _tls(query: Query) -> str:
    return "no TLS" if query.session.tls_facts is None else "under TLS"


def _certificate(query: Query) -> str:
    facts = query.session.tls_facts
    return "no client certificate" if facts is None or facts.peer is None else ""


def _name(query: Query) -> str:
    client = query.session.client
    return f"name of {client.address}: {_CODES[client.name_code]}" + _shown(client.name)


def _reverse_name(query: Query) -> str:
    client = query.session.client
    code = "there is one" if client.reverse_name_code == 2 else _CODES[client.reverse_name_code]
    return f"reverse name of {client.address}: {code}" + _shown(client.reverse_name)


def _shown(name: str) -> str:
    return "" if name == "unknown" else f" ({name})"


def _helo(query: Query) -> str:
    return f"HELO {query.session.helo}" if query.session.helo else "no HELO"


_WORDS: Final[dict[str, Callable[[Query], str]]] = {
    "permit_mynetworks": _networks,
    "permit_sasl_authenticated": _login,
    "permit_tls_clientcerts": _certificate,
    "permit_tls_all_clientcerts": _certificate,
    "check_ccert_access": _certificate,
    "reject_plaintext_session": _tls,
    "reject_unknown_client_hostname": _name,
    "reject_unknown_client": _name,
    "reject_unknown_reverse_client_hostname": _reverse_name,
    "reject_invalid_helo_hostname": _helo,
    "reject_invalid_hostname": _helo,
    "reject_non_fqdn_helo_hostname": _helo,
    "reject_non_fqdn_hostname": _helo,
    "permit_naked_ip_address": _helo,
}
