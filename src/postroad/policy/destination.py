"""Restrictions about addresses: may this client send there, and does the address exist."""

from __future__ import annotations

import re
from collections.abc import Coroutine
from typing import Any

from postroad.mail.rewrite import Rewriter
from postroad.model.reply import Reply
from postroad.model.route import AddressClass, Route
from postroad.policy.params import ALLOW_UNTRUSTED_ROUTING, RELAY_DOMAINS_REJECT_CODE
from postroad.policy.query import Query
from postroad.policy.services import Services
from postroad.policy.verdict import PERMIT, Check, Verdict

_OPERATORS = re.compile("[@!%]")


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


class _Destination:
    """Asks the router about the recipient, and nothing else: what it resolves to is what counts."""

    __slots__ = ("_rewriter", "_router", "_trust_routing")

    def __init__(self, services: Services) -> None:
        self._router = services.router
        self._rewriter = Rewriter(services.settings)
        self._trust_routing = services.settings[ALLOW_UNTRUSTED_ROUTING]

    async def authorized(self, query: Query) -> bool:
        address = self._rewriter.rewrite(query.recipient)
        route = await self._router.route(address, query.session.transaction.sender or "")
        return is_authorized(route, trust_routing=self._trust_routing)


def permit_auth_destination(services: Services) -> Check:
    """``permit_auth_destination``: yes to a recipient in a domain of ours or in $relay_domains."""
    destination = _Destination(services)

    async def ask(query: Query) -> Verdict:
        return PERMIT if await destination.authorized(query) else None

    return lambda query: ask(query) if query.recipient else None


def _unauth_destination(services: Services, code: int, status: str) -> Check:
    destination = _Destination(services)

    async def ask(query: Query) -> Verdict:
        if await destination.authorized(query):
            return None
        return Reply(code, status, f"<{query.recipient}>: Relay access denied")

    return lambda query: ask(query) if query.recipient else None


def reject_unauth_destination(services: Services) -> Check:
    """``reject_unauth_destination``: no to any other recipient."""
    return _unauth_destination(services, services.settings[RELAY_DOMAINS_REJECT_CODE], "5.7.1")


def defer_unauth_destination(services: Services) -> Check:
    """``defer_unauth_destination``: not now to any other recipient."""
    return _unauth_destination(services, services.settings[RELAY_DOMAINS_REJECT_CODE] - 100, "4.7.1")


def check_relay_domains(services: Services) -> Check:
    """``check_relay_domains``, the old name: yes to our recipients, no to all others.

    Postfix's also said yes to clients *named* as a relay domain; names prove nothing, so not here.
    """
    destination = _Destination(services)
    code = services.settings[RELAY_DOMAINS_REJECT_CODE]

    async def ask(query: Query) -> Verdict:
        if await destination.authorized(query):
            return PERMIT
        return Reply(code, "5.7.1", f"<{query.recipient}>: Recipient address rejected: Relay access denied")

    return lambda query: ask(query) if query.recipient else None


def reject_unlisted_recipient(services: Services) -> Check:
    """``reject_unlisted_recipient``: no to a recipient in a domain of ours that does not exist."""
    recipients = services.recipients

    def check(query: Query) -> Coroutine[Any, Any, Verdict] | None:
        if not query.recipient or query.recipient_checked:
            return None
        query.recipient_checked = not query.warn
        return recipients.refuse(query.recipient)

    return check


def reject_unlisted_sender(services: Services) -> Check:
    """``reject_unlisted_sender``: no to a sender in a domain of ours that does not exist."""
    recipients = services.recipients

    def check(query: Query) -> Coroutine[Any, Any, Verdict] | None:
        sender = query.session.transaction.sender
        if not sender or query.sender_checked:
            return None
        query.sender_checked = not query.warn
        return recipients.refuse(sender, sender=True)

    return check
