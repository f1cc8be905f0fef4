"""What comes between EHLO and mail: STARTTLS (RFC 3207) and AUTH (RFC 4954)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any

from postroad.model.outcome import Outcome
from postroad.proto.client_features import Features
from postroad.proto.client_handshake import Handshake
from postroad.proto.client_stages import AUTH, CLOSED, EHLO, GREETING, IDLE, LHLO, STARTTLS, TLS, Event, Stage
from postroad.proto.client_values import Manners, Peer, Terms
from postroad.proto.replies import ServerReply
from postroad.proto.sasl.client_values import ClientExchange, SaslError

#: Challenges of one login; no mechanism has more than a few.
_ROUNDS = 20
HANDSHAKE_FAILURE = "Cannot start TLS: handshake failure"
NOT_VERIFIED = "Server certificate not verified"


class SecureHandshake(Handshake):
    """A handshake that may become encrypted and logged in.

    ``encrypted`` and ``verified`` say what the channel is.  ``login_reply`` is set when the server has
    refused a login: who knows about logins may change ``failure`` then.
    """

    __slots__ = ("_declined", "_exchange", "_responses", "encrypted", "login_reply", "verified")

    def __init__(self, manners: Manners, peer: Peer, warn: Callable[[str], None] = lambda _: None, terms: Terms | None = None) -> None:  # fmt: skip  # noqa: E501
        super().__init__(manners, peer, warn, terms)
        self._declined = False  # STARTTLS was, and we go on without
        self._exchange: ClientExchange | None = None
        self._responses: list[bytes] = []
        self.encrypted = False
        self.verified = False
        self.login_reply: ServerReply | None = None
        if terms is not None and terms.wrapper:
            self.stage = TLS

    # --- the driver's side

    def secured(self, *, verified: bool, early: bool = False) -> Event | None:
        """Hands are shaken, and the server is whom the policy wants: begin again (RFC 3207 4.2).

        Nothing that the server has said before counts any more: who could not read it could write it.
        ``early``: it has said something behind the handshake already.  Where EHLO is to come first, that
        is an answer to what somebody else has put before it (CVE-2009-3555): REFUSED.
        """
        self.encrypted = True
        self.verified = verified
        self._parser = self._new_parser()
        self.features = Features()
        if self._terms is not None and self._terms.wrapper:
            self.stage = GREETING
        elif early:
            return self.refuse(self._nonsense("an answer before the first command behind STARTTLS"))
        elif self._manners.lmtp:
            self._say(LHLO, "LHLO")
        else:
            self._say(EHLO, "EHLO")
        return None

    def insecure(self) -> Event:
        """The handshake has failed: nothing can be said any more."""
        self.stage = CLOSED
        return self.refuse(Outcome("4.7.5", HANDSHAKE_FAILURE, self.peer.relay))

    def refuse(self, outcome: Outcome) -> Event:
        """Mail must not be sent here."""
        self.failure = outcome
        return Event.REFUSED

    def log_in(self, exchange: ClientExchange) -> Event | None:
        """Begin a login; REFUSED if that is not possible."""
        self._exchange = exchange
        try:
            initial = exchange.initial()
        except SaslError as error:
            return self._cannot_log_in(str(error))
        command = b"AUTH " + exchange.name.encode()
        if initial is not None:  # RFC 4954 4: "=" is a response without a byte
            command += b" " + (self._encoded(initial) or b"=")
        self._out += command + b"\r\n"
        return None

    def _encoded(self, response: bytes) -> bytes:
        made = base64.b64encode(response)
        self._responses.append(made)
        return made

    # --- replies

    def _secure(self, terms: Terms) -> Event | None:
        offered = self.features.starttls
        if terms.tls and not self.encrypted and not self._declined:
            if offered and terms.engine:
                self.stage = STARTTLS
                self._out += b"STARTTLS\r\n"
                return None
            if terms.required and offered:
                return self._refuse_policy("4.7.5", "TLS is required, but our TLS engine is unavailable")
        if terms.required and not self.encrypted:
            text = f"TLS is required, but was not offered by host {self.peer.host}"
            return self._refuse_policy("4.7.4", text)
        if terms.login and "AUTH" in self.features.offers:
            self.stage = AUTH
            return Event.LOGIN
        self.stage = IDLE
        return Event.READY

    def on_starttls(self, reply: ServerReply) -> Event | None:
        """STARTTLS is answered."""
        if self._parser.pending:
            # Bytes behind the 220 came in plain text, and would be read as if they had been encrypted.
            return self._refuse_garbage(reply)
        if reply.good:
            self.stage = TLS
            return Event.START_TLS
        terms = self._terms
        assert terms is not None
        if not terms.required and reply.code != 421:
            self._declined = True
            return self._secure(terms)
        text = f"TLS is required, but host {self.peer.host} refused to start TLS: {reply.text}"
        if not terms.required:
            return self._refuse(reply)
        failure = self._said(reply, text)
        failure.status = f"4{failure.status[1:]}"  # its TLS may be back; our policy stays
        return self.refuse(failure)

    def on_tls(self, reply: ServerReply) -> Event:
        """Plain text where only TLS may be: a driver gives none."""
        return self._refuse_garbage(reply)

    def on_auth(self, reply: ServerReply) -> Event | None:
        """One step of the login is answered."""
        exchange = self._exchange
        if exchange is None or self._parser.pending:
            return self._refuse_garbage(reply)
        if reply.code // 100 == 3:
            return self._respond(exchange, reply)
        self._exchange = None
        if not reply.good:
            self.login_reply = reply = self._without_secrets(reply)
            text = f"SASL authentication failed; server {self.peer.host} said: {reply.text}"
            return self.refuse(self._said(reply, text))
        try:
            exchange.finished()
        except SaslError as error:
            return self._cannot_log_in(str(error))
        self.stage = IDLE
        return Event.READY

    def _respond(self, exchange: ClientExchange, reply: ServerReply) -> Event | None:
        if len(self._responses) > _ROUNDS:
            text = f"SASL authentication failed; authentication protocol loop with server {self.peer.host}"
            return self._refuse_policy("4.7.0", text)
        try:
            challenge = base64.b64decode(reply.raw[4:].strip(), validate=True)
            self._out += self._encoded(exchange.respond(challenge)) + b"\r\n"
        except (binascii.Error, ValueError):
            return self._cannot_log_in("bad protocol / cancel: malformed challenge")
        except SaslError as error:
            return self._cannot_log_in(str(error))
        return None

    def _without_secrets(self, reply: ServerReply) -> ServerReply:
        """Return what it said as it may be logged: some servers repeat what they do not understand."""
        raw = reply.raw
        for response in self._responses:
            if len(response) >= 4:
                raw = raw.replace(response, b"*")
        return ServerReply(reply.code, raw)

    # --- failures

    def _cannot_log_in(self, why: str) -> Event:
        self._exchange = None
        text = f"SASL authentication failed; cannot authenticate to server {self.peer.host}: {why}"
        return self._refuse_policy("4.7.0", text)

    def _refuse_policy(self, status: str, text: str) -> Event:
        if self.stage is AUTH:
            self.stage = CLOSED  # it waits for a response, and would take QUIT for one
        return self.refuse(Outcome(status, text, self.peer.relay))

    def _lost(self, stage: Stage, *, timed_out: bool) -> Outcome:
        if stage is TLS:
            return Outcome("4.7.5", HANDSHAKE_FAILURE, self.peer.relay)
        return super()._lost(stage, timed_out=timed_out)


HANDLERS: Mapping[Stage, Callable[[Any, ServerReply], Event | None]] = {
    STARTTLS: SecureHandshake.on_starttls,
    TLS: SecureHandshake.on_tls,
    AUTH: SecureHandshake.on_auth,
}
