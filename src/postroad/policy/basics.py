"""Restrictions that ask nothing: permit, reject, defer and their conditional forms."""

from __future__ import annotations

from collections.abc import Awaitable

from postroad.base.tasks import spawn
from postroad.model.reply import Reply
from postroad.policy.params import (
    DEFER_CODE,
    MULTI_RECIPIENT_BOUNCE_REJECT_CODE,
    PLAINTEXT_REJECT_CODE,
    REJECT_CODE,
)
from postroad.policy.query import Query
from postroad.policy.services import Services
from postroad.policy.verdict import PERMIT, Check, ServerError, Verdict


def permit(_services: Services) -> Check:
    """``permit``: yes to all."""
    return lambda _query: PERMIT


def reject(services: Services) -> Check:
    """``reject``: no to all."""
    code = services.settings[REJECT_CODE]
    return lambda query: query.rejected(code, "5.7.1", "Access denied")


def defer(services: Services) -> Check:
    """``defer``: not now, to all."""
    code = services.settings[DEFER_CODE]
    return lambda query: query.rejected(code, "4.3.2", "Try again later")


def defer_if_permit(_services: Services) -> Check:
    """``defer_if_permit``: a yes that comes later becomes a 4xx."""
    return lambda query: query.defer_if_permit(
        query.rejected(450, "4.7.0", "defer_if_permit requested"),
    )


def defer_if_reject(_services: Services) -> Check:
    """``defer_if_reject``: a 5xx that comes later becomes a 4xx."""

    def check(query: Query) -> Verdict:
        query.defer_if_reject(query.rejected(450, "4.7.0", "defer_if_reject requested"))
        return None

    return check


def reject_plaintext_session(services: Services) -> Check:
    """``reject_plaintext_session``: no without TLS."""
    refusal = Reply(services.settings[PLAINTEXT_REJECT_CODE], "4.7.1", "Session encryption is required")
    return lambda query: refusal if query.session.tls_facts is None else None


def reject_multi_recipient_bounce(services: Services) -> Check:
    """``reject_multi_recipient_bounce``: a bounce has one recipient."""
    code = services.settings[MULTI_RECIPIENT_BOUNCE_REJECT_CODE]

    def check(query: Query) -> Verdict:
        transaction = query.session.transaction
        # At RCPT TO the recipient that is asked about is not among the transaction's yet.
        most = 0 if query.command == "RCPT" else 1
        if transaction.sender == "" and len(transaction.recipients) > most:
            return query.rejected(code, "5.5.3", "Multi-recipient bounce")
        return None

    return check


def reject_unauth_pipelining(_services: Services) -> Check:
    """``reject_unauth_pipelining``: no to a client that did not wait for its turn (RFC 2920 3.1)."""

    def check(query: Query) -> Verdict:
        if "improper_pipelining" not in query.session.memory:
            return None
        return query.rejected(503, "5.5.0", "Improper use of SMTP command pipelining")

    return check


def sleep(services: Services, name: str, argument: str, _default: str) -> Check:
    """``sleep seconds``: the client waits."""
    if not (argument.isascii() and argument.isdigit()):
        return broken(f"restriction {name} must be followed by number")
    seconds = int(argument) if services.recorder is None else 0  # nobody is there who could wait

    async def wait(_query: Query) -> Verdict:
        await spawn(_coroutine(services.pause(seconds)))
        return None

    return wait if seconds else lambda _query: None


async def _coroutine(pause: Awaitable[None]) -> None:
    await pause


def unknown(name: str) -> Check:
    """Return the check for a word that is no restriction."""
    return broken(f'unknown smtpd restriction: "{name}"')


def broken(text: str) -> Check:
    """Return the check for what cannot be used: an error whenever it is reached."""

    def check(_query: Query) -> Verdict:
        raise ServerError(text)

    return check
