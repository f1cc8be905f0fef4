"""Restrictions about the client itself: its address, its name, its login."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from postroad.auth.params import AUTH_ENABLE
from postroad.model.reply import Reply
from postroad.model.session import Session
from postroad.policy.params import UNKNOWN_CLIENT_REJECT_CODE
from postroad.policy.query import Query
from postroad.policy.services import Services
from postroad.policy.verdict import PERMIT, Check, Verdict

_TRUSTED = "policy.mynetworks"


def permit_mynetworks(services: Services) -> Check:
    """``permit_mynetworks``: yes to a client in $mynetworks; asked once in a session."""
    networks = services.networks

    def remember(session: Session, trusted: bool) -> Verdict:
        session.memory[_TRUSTED] = session.client.trusted = trusted
        return PERMIT if trusted else None

    async def ask(session: Session) -> Verdict:
        client = session.client
        return remember(session, await networks.matches(client.address, client.name))

    def check(query: Query) -> Verdict | Coroutine[Any, Any, Verdict]:
        session = query.session
        trusted = session.memory.get(_TRUSTED)
        if trusted is None:
            if networks.now:
                return remember(session, networks.matches_now(session.client.address, session.client.name))
            return ask(session)
        return PERMIT if trusted else None

    return check


def permit_inet_interfaces(services: Services) -> Check:
    """``permit_inet_interfaces``: yes to a client that has an address of this machine."""
    own = services.own_address
    return lambda query: PERMIT if own(query.session.client.address) else None


def permit_sasl_authenticated(services: Services) -> Check:
    """``permit_sasl_authenticated``: yes to a client that has logged in.

    Without smtpd_sasl_auth_enable a login that XCLIENT tells of is none.
    """
    if not services.settings[AUTH_ENABLE]:
        return lambda _query: None
    return lambda query: PERMIT if query.session.sasl_username else None


def reject_unknown_client_hostname(services: Services) -> Check:
    """``reject_unknown_client_hostname``: no to an address whose name is not confirmed by the DNS."""
    code = services.settings[UNKNOWN_CLIENT_REJECT_CODE]

    def check(query: Query) -> Verdict:
        client = query.session.client
        if client.name_code == 2:
            return None
        # RFC 7372 3: x.7.25, reverse DNS validation failed
        return Reply(
            code if client.name_code == 5 else 450,
            "4.7.25",
            f"Client host rejected: cannot find your hostname, [{client.address}]",
        )

    return check


def reject_unknown_reverse_client_hostname(services: Services) -> Check:
    """``reject_unknown_reverse_client_hostname``: no to an address that has no name at all."""
    code = services.settings[UNKNOWN_CLIENT_REJECT_CODE]

    def check(query: Query) -> Verdict:
        client = query.session.client
        if client.reverse_name_code == 2:
            return None
        return Reply(
            code if client.reverse_name_code == 5 else 450,
            "4.7.1",
            f"Client host rejected: cannot find your reverse hostname, [{client.address}]",
        )

    return check
