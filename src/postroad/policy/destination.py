"""Restrictions about addresses: may this client send there, and does the address exist."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from postroad.model.params import RECEIVE_OVERRIDE_OPTIONS
from postroad.model.reply import Reply
from postroad.policy.envelope import Envelope
from postroad.policy.params import RELAY_DOMAINS_REJECT_CODE
from postroad.policy.query import Query
from postroad.policy.services import Services
from postroad.policy.verdict import PERMIT, Check, Verdict


def permit_auth_destination(services: Services) -> Check:
    """``permit_auth_destination``: yes to a recipient in a domain of ours or in $relay_domains."""
    envelope = Envelope(services)

    async def ask(query: Query) -> Verdict:
        return PERMIT if await envelope.authorized(query) else None

    return lambda query: ask(query) if query.recipient else None


def _unauth_destination(services: Services, code: int, status: str) -> Check:
    envelope = Envelope(services)

    async def ask(query: Query) -> Verdict:
        if await envelope.authorized(query):
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
    envelope = Envelope(services)
    code = services.settings[RELAY_DOMAINS_REJECT_CODE]

    async def ask(query: Query) -> Verdict:
        if await envelope.authorized(query):
            return PERMIT
        return Reply(code, "5.7.1", f"<{query.recipient}>: Recipient address rejected: Relay access denied")

    return lambda query: ask(query) if query.recipient else None


def _is_lenient(services: Services) -> bool:
    """Return whether receive_override_options lets unknown addresses pass, as behind a content filter."""
    return "no_unknown_recipient_checks" in services.settings[RECEIVE_OVERRIDE_OPTIONS]


def reject_unlisted_recipient(services: Services) -> Check:
    """``reject_unlisted_recipient``: no to a recipient in a domain of ours that does not exist."""
    if _is_lenient(services):
        return lambda _query: None
    recipients = services.recipients

    def check(query: Query) -> Coroutine[Any, Any, Verdict] | None:
        if not query.recipient or query.recipient_checked:
            return None
        query.recipient_checked = not query.warn
        return recipients.refuse(query.recipient)

    return check


def reject_unlisted_sender(services: Services) -> Check:
    """``reject_unlisted_sender``: no to a sender in a domain of ours that does not exist."""
    if _is_lenient(services):
        return lambda _query: None
    recipients = services.recipients

    def check(query: Query) -> Coroutine[Any, Any, Verdict] | None:
        sender = query.session.transaction.sender
        if not sender or query.sender_checked:
            return None
        query.sender_checked = not query.warn
        return recipients.refuse(sender, sender=True)

    return check
