"""The TLS of one connection: its handshake, what is known of it, its end."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from postroad.base.tasks import start
from postroad.model.client import Client
from postroad.model.reply import Reply
from postroad.model.tls import TlsFacts
from postroad.net.tls.errors import TlsError
from postroad.net.tls.transport import TlsTransport
from postroad.smtpd import events

if TYPE_CHECKING:
    from postroad.net.tls.server import ServerTls
    from postroad.smtpd.connection import Connection
    from postroad.smtpd.service import SmtpdService

_NO_CERTIFICATE = "No client certificate presented"
_UNTRUSTED = "Client certificate not trusted"


class Encryption:
    """Stands between a connection's socket and its machine.

    ``handshaking`` is true until the session is encrypted or has failed to be, also while a connection
    that begins with TLS waits for its turn: nothing may be written in plain text then.
    """

    __slots__ = ("_asks", "_connection", "_early", "_raw", "_service", "handshaking", "parting", "transport")

    def __init__(self, connection: Connection, service: SmtpdService, raw: asyncio.Transport) -> None:
        self._connection = connection
        self._service = service
        self._raw = raw
        self._early = b""  # came before its time
        self._asks = False
        self.transport: TlsTransport | None = None
        self.handshaking = True
        #: What is said to the client when it says something, in place of an answer.
        self.parting: Reply | None = None

    def begin(self, tls: ServerTls) -> TlsTransport:
        """Let the client shake hands; return what stands for the transport from now on."""
        service = self._service
        if service.security.loglevel >= 2:
            service.log.emit(events.TLS_BEGINS, self._connection.session.client.named_address)
        self._asks = tls.asks
        self.transport = TlsTransport(self._raw, tls.accept())
        return self.transport

    def take_early(self) -> bytes:
        """Return what came before ``begin``."""
        early, self._early = self._early, b""
        return early

    @property
    def closed(self) -> bool:
        """Whether the client has said that it sends no more: what comes then is nobody's word."""
        return self.transport is not None and self.transport.pipe.closed

    def receive(self, data: bytes) -> bytes:
        """Take bytes of the wire; return plain text, b"" for none."""
        transport = self.transport
        if transport is None:
            self._early += data
            self._raw.pause_reading()  # what nobody looks at yet must not grow
            return b""
        try:
            plain = transport.receive(data)
        except TlsError as error:
            self._broken(error)
            return b""
        if self.handshaking and transport.pipe.established:
            self._shaken(transport)
        return plain

    def _broken(self, error: TlsError) -> None:
        log, client = self._service.log, self._connection.session.client.named_address
        if self.handshaking:
            self.handshaking = False
            log.emit(events.TLS_FAILED, client, "-1")
        log.emit(events.TLS_PROBLEM, str(error))
        self._connection.lost()

    def failed(self, why: str) -> None:
        """Log that the client is gone, or was given up, before the session was encrypted."""
        if self.handshaking and self.transport is not None:
            self._service.log.emit(events.TLS_FAILED, self._connection.session.client.named_address, why)
        self.handshaking = False

    # -- the session is encrypted

    def _shaken(self, transport: TlsTransport) -> None:
        self.handshaking = False
        service, session = self._service, self._connection.session
        facts = session.tls_facts = transport.pipe.facts()
        session.tls = facts.received_clause(asked=self._asks)
        session.channel_binding = transport.pipe.export
        client, unmatched = session.client.named_address, transport.pipe.verification.unmatched_name
        if unmatched:
            service.log.emit(events.TLS_UNMATCHED_NAME, unmatched, client)
        if service.security.loglevel >= 1:
            faults = transport.pipe.verification.errors
            if faults and facts.peer is not None and service.security.needs_certificate:
                fault = fault_text(faults[0][1], facts.peer.issuer)
                service.log.emit(events.TLS_UNVERIFIED, client, fault)
            who = f"{client} to {facts.server_name}" if facts.server_name else client
            service.log.emit(events.TLS_ESTABLISHED, facts.trust, who, facts.describe())
        start(self._judge(facts), self._judged)

    async def _judge(self, facts: TlsFacts) -> Reply | None:
        """Return what a client is told that may not go on."""
        service, client = self._service, self._connection.session.client
        hostname = service.options.hostname
        if service.security.needs_certificate and (facts.peer is None or not facts.peer.trusted):
            text = _UNTRUSTED if facts.peer is not None else _NO_CERTIFICATE
            service.log.emit(events.TLS_ABORTED, client.named_address, text)
            return Reply(421, "4.7.1", f"{hostname} Error: {text}")
        limit, tally = service.security.new_tls_limit, service.tally
        if limit and not facts.resumed and not await service.clients.uncounted.has(client):
            number = tally.new_tls.add(tally.key_of(client))
            if number > limit:
                service.log.emit(events.TOO_MANY_TLS, number, client.named_address, service.name)
                text = f"{hostname} Error: too many new TLS sessions from {client.named_address}"
                return Reply(421, "4.7.0", text)
        return None

    def _judged(self, refusal: Reply | None, error: BaseException | None) -> None:
        if error is not None:
            service, client = self._service, self._connection.session.client
            service.log.emit(events.FAILED, client.named_address, "STARTTLS", repr(error))
            refusal = Reply(421, "4.3.0", f"{service.options.hostname} Server local data error")
        self._connection.secured(refusal)


def fault_text(number: int, issuer: str) -> str:
    """Return what is wrong with a client's certificate, by OpenSSL's number (x509_vfy.h)."""
    known = {
        2: f"untrusted issuer {issuer}",
        9: "certificate not yet valid",
        10: "certificate has expired",
        18: "self-signed certificate",
        19: "self-signed certificate",
        20: f"untrusted issuer {issuer}",
    }
    return known.get(number, f"num={number}")


async def refuse_starttls(service: SmtpdService, client: Client) -> Reply | None:
    """Return the refusal of a client that has begun too many sessions under TLS."""
    if await service.clients.uncounted.has(client):
        return None
    if service.tally.new_tls.count(service.tally.key_of(client)) <= service.security.new_tls_limit:
        return None
    service.log.emit(events.TLS_REFUSED, client.named_address, service.name)
    return Reply(454, "4.7.0", f"Error: too many new TLS sessions from {client.named_address}")
