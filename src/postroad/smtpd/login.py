"""AUTH in one session: the exchange, its limits, and what the log and the client are told."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING

from postroad.model.ports import SaslExchange
from postroad.model.reply import Reply
from postroad.model.sasl import SaslState, SaslStep
from postroad.model.session import Session
from postroad.smtpd import events

if TYPE_CHECKING:
    from postroad.smtpd.service import SmtpdService

_SUCCESS = Reply(235, "2.7.0", "Authentication successful")
_NO_REASON = "(reason unavailable)"
_NOT_NOW = Reply(454, "4.7.0", f"Temporary authentication failure: {_NO_REASON}")
_NO_NAME = "(unavailable)"
_LONGEST_NAME = 256


class Login:
    """Who the client of a session is.  No secret gets farther than to the exchange."""

    __slots__ = ("_exchange", "_mechanism", "_service", "_session")

    def __init__(self, service: SmtpdService, session: Session) -> None:
        self._service = service
        self._session = session
        self._exchange: SaslExchange | None = None
        self._mechanism = ""

    def mechanisms(self) -> str:
        """Return the mechanisms that may be used now."""
        service, tls = self._service, self._session.tls_facts is not None
        if service.authenticator is None or (service.security.auth_needs_tls and not tls):
            return ""
        return " ".join(service.authenticator.mechanisms(tls=tls))

    async def count(self) -> Reply | None:
        """Count a command; return the refusal when the client has sent too many."""
        service, client = self._service, self._session.client
        if await service.clients.uncounted.has(client):
            return None
        number = service.tally.auths.add(service.tally.key_of(client))
        if number <= service.security.auth_limit:
            return None
        service.log.emit(events.TOO_MANY_AUTHS, number, client.named_address, service.name)
        return Reply(450, "4.7.1", f"Error: too many AUTH commands from {client.address}")

    async def begin(self, mechanism: str, response: bytes | None) -> Reply:
        """Begin an exchange; return the reply to AUTH."""
        authenticator = self._service.authenticator
        assert authenticator is not None  # it named the mechanism
        self._mechanism = mechanism
        self._exchange = authenticator.begin(mechanism, self._session)
        return await self.respond(response)

    async def respond(self, response: bytes | None) -> Reply:
        """Hand a response on; return the reply to it."""
        exchange = self._exchange
        if exchange is None:  # it was given up
            return _NOT_NOW
        try:
            step = await exchange.step(response)
        except BaseException:
            self.cancel()
            raise
        if step.state is SaslState.MORE:
            return Reply(334, "", b64encode(step.challenge).decode())
        self._exchange = None
        if step.state is SaslState.DONE:
            self._session.sasl_method = self._mechanism
            self._session.sasl_username = step.username
            return _SUCCESS
        return self._refused(step)

    def _refused(self, step: SaslStep) -> Reply:
        reason = step.reason or _NO_REASON
        self.failed(self._mechanism, reason, step.username)
        if step.state is SaslState.UNAVAILABLE:
            return _NOT_NOW  # the reason may name files of ours: it is for the log
        return Reply(535, "5.7.8", f"Error: authentication failed: {reason}")

    def failed(self, mechanism: str, reason: str, username: str = "") -> None:
        """Log a failure; whatever exchange there is ends."""
        self.cancel()
        client = self._session.client.named_address
        name = username[:_LONGEST_NAME] or _NO_NAME
        self._service.log.emit(events.AUTH_FAILED, client, mechanism, reason, name)

    def cancel(self) -> None:
        """End the exchange, if there is one."""
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.cancel()
