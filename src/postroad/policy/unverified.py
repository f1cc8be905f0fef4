"""``reject_unverified_sender`` and ``_recipient``: would anyone take mail for the address?"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, NamedTuple

from postroad.base.errors import LookupUnavailable
from postroad.base.params import Param
from postroad.model.reply import Reply
from postroad.model.verification import Deliverability
from postroad.policy import asking_params as p
from postroad.policy import query as q
from postroad.policy.query import Query
from postroad.policy.services import Services
from postroad.policy.verdict import Check, Verdict

_LONGEST = 250  # of what a probe found, in a refusal


class _Parameters(NamedTuple):
    defer_code: Param[int]
    reject_code: Param[int]
    reason: Param[str]
    action: Param[str]


_SENDER = _Parameters(
    p.UNVERIFIED_SENDER_DEFER_CODE,
    p.UNVERIFIED_SENDER_REJECT_CODE,
    p.UNVERIFIED_SENDER_REJECT_REASON,
    p.UNVERIFIED_SENDER_TEMPFAIL_ACTION,
)
_RECIPIENT = _Parameters(
    p.UNVERIFIED_RECIPIENT_DEFER_CODE,
    p.UNVERIFIED_RECIPIENT_REJECT_CODE,
    p.UNVERIFIED_RECIPIENT_REJECT_REASON,
    p.UNVERIFIED_RECIPIENT_TEMPFAIL_ACTION,
)


class _Unverified:
    """Asks for one kind of address."""

    __slots__ = ("_codes", "_defers", "_kind", "_reason", "_status", "_verifier")

    def __init__(self, services: Services, kind: str, parameters: _Parameters) -> None:
        settings = services.settings
        self._verifier = services.verifier
        services.verifies = True
        self._kind = kind
        self._status = "4.1.7" if kind is q.SENDER else "4.1.1"
        undecided = settings[parameters.defer_code]
        self._codes = {
            Deliverability.GOOD: 250,
            Deliverability.BAD: settings[parameters.reject_code],
            Deliverability.UNKNOWN: undecided,
            Deliverability.PENDING: undecided,
        }
        self._reason = settings[parameters.reason]
        self._defers = settings[parameters.action] == "defer"

    async def ask(self, query: Query, address: str) -> Verdict:
        """Refuse an address that would not be taken; put off a yes while that is not known."""
        if self._verifier is None:
            return self._put_off(query, self._refused(450, address, "address verification problem"))
        try:
            found = await self._verifier.verify(address)
        except LookupUnavailable as error:
            query.log.warning("smtpd", f"verify service failure: {error}")
            return self._put_off(query, self._refused(450, address, "address verification problem"))
        code = self._codes[found.state]
        if code < 300:
            return None
        text = (self._reason or found.text)[:_LONGEST]
        if code < 500:
            return self._put_off(query, self._refused(code, address, f"unverified address: {text}"))
        return self._refused(code, address, f"undeliverable address: {text}")

    def _put_off(self, query: Query, reply: Reply) -> Verdict:
        return reply if self._defers else query.defer_if_permit(reply)

    def _refused(self, code: int, address: str, why: str) -> Reply:
        return Reply(code, self._status, f"<{address}>: {self._kind} rejected: {why}")


def reject_unverified_sender(services: Services) -> Check:
    """``reject_unverified_sender``: no to a sender that would not take a bounce."""
    unverified = _Unverified(services, q.SENDER, _SENDER)

    def check(query: Query) -> Coroutine[Any, Any, Verdict] | None:
        sender = query.session.transaction.sender
        return unverified.ask(query, sender) if sender else None

    return check


def reject_unverified_recipient(services: Services) -> Check:
    """``reject_unverified_recipient``: no to a recipient that the next server would not take."""
    unverified = _Unverified(services, q.RECIPIENT, _RECIPIENT)
    return lambda query: unverified.ask(query, query.recipient) if query.recipient else None
