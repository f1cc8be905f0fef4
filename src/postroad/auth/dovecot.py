"""``smtpd_sasl_type = dovecot``: Dovecot says who a client is.

One connection for many exchanges at one time.  It is made at once and again when it is lost.  Nothing
that befalls it is taken for a yes or a no: the exchanges under way end as unavailable.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import NamedTuple, cast

from postroad.auth.offer import Offer
from postroad.base import tasks
from postroad.base.log import Log
from postroad.model.sasl import SaslState, SaslStep
from postroad.model.session import Session
from postroad.net.destination import parse_destination
from postroad.proto.dovecot_auth import (
    Accepted,
    AuthClient,
    AuthProtocolError,
    Context,
    Continue,
    Event,
    Ready,
    Rejected,
    ResponseTooLongError,
)

CONNECT_TIME = 10.0  # seconds, with the handshake
#: Dovecot keeps its answer back for up to 15 seconds from an address that has failed before.
ANSWER_TIME = 20.0
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 10.0
_WRITE_LIMIT = 1 << 20  # bytes that Dovecot has not read yet: it hangs

#: What servers offered, by their place: after a reload the offer is known before there is a connection.
_offers: dict[str, dict[str, frozenset[str]]] = {}

Waiter = Callable[[Event | None], None]


class Place(NamedTuple):
    """Where Dovecot listens: ``path`` of a UNIX socket, or ``host`` and ``port``."""

    path: str
    host: str = ""
    port: int = 0


def place_of(text: str, queue_directory: str) -> Place:
    """Read smtpd_sasl_path.  ValueError for what cannot be one."""
    if text.startswith("inet:"):
        host, port = parse_destination(text[5:], "0")
        return Place("", host, port)
    path = text.removeprefix("unix:")
    if not path:
        raise ValueError("a path is missing")
    return Place(os.path.join(queue_directory, path))  # noqa: PTH118 - /absolute stays as it is


class _Connection(asyncio.Protocol):
    """Bytes to events."""

    def __init__(self, owner: DovecotAuth) -> None:
        self._owner = owner
        self.client = AuthClient(os.getpid())
        self.transport: asyncio.Transport | None = None
        self.waiters: dict[int, Waiter] = {}
        self.last_number = 0
        self.heard = 0  # events, to know a server that hangs

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass
        self.transport = transport
        transport.write(self.client.hello())

    def data_received(self, data: bytes) -> None:
        try:
            for event in self.client.feed(data):
                self.heard += 1
                if isinstance(event, Ready):
                    self._owner.ready(self, event)
                else:
                    waiter = self.waiters.pop(event.number, None)
                    if waiter is not None:
                        waiter(event)
        except AuthProtocolError as error:
            self._owner.lost(self, str(error))

    def connection_lost(self, exc: Exception | None) -> None:
        self._owner.lost(self, str(exc) if exc else "the connection was closed")

    def end(self) -> None:
        """Close it; whoever waits is told that there will be no answer."""
        if self.transport is not None:
            self.transport.abort()
        waiters, self.waiters = self.waiters, {}
        for waiter in waiters.values():
            waiter(None)


class DovecotAuth:
    """An Authenticator.  ``path`` is smtpd_sasl_path as it is written, for the log."""

    def __init__(self, path: str, place: Place, service: str, offer: Offer, log: Log, loop: asyncio.AbstractEventLoop) -> None:  # fmt: skip  # noqa: E501
        self._path = path
        self._place = place
        self.service = service
        self._offer = offer
        self._log = log
        self.loop = loop
        self._connection: _Connection | None = None
        self._opening: asyncio.Future[None] | None = loop.create_future()
        self._pause = _FIRST_PAUSE
        self._closed = False
        self._trouble = ""
        self._timer: asyncio.Handle | None = loop.call_soon(self._open)

    # --- the port

    def mechanisms(self, *, tls: bool) -> tuple[str, ...]:
        """Return what Dovecot offers, or last did, as far as it may be offered."""
        known = _offers.get(self._path, {})
        return tuple(name for name, has in known.items() if self._offer.allows(name, has, tls=tls))

    def begin(self, mechanism: str, session: Session) -> DovecotExchange:
        """Begin an exchange."""
        return DovecotExchange(self, mechanism, session)

    async def close(self) -> None:
        """Close the connection."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        if self._connection is not None:
            connection, self._connection = self._connection, None
            connection.end()
        self._opened()

    # --- the connection

    async def usable(self) -> _Connection | None:
        """Return the connection, after it was made if that is under way; None while there is none."""
        if self._opening is not None:
            await asyncio.shield(self._opening)  # others wait for it, too
        connection = self._connection
        return connection if connection is not None and connection.client.ready else None

    def trouble(self) -> str:
        """Return what keeps us from asking."""
        return (
            f"SASL: Connect to Dovecot auth socket '{self._path}' failed: {self._trouble or 'not connected'}"
        )

    def _open(self) -> None:
        self._timer = None
        if self._closed:
            return
        if self._opening is None:
            self._opening = self.loop.create_future()
        tasks.spawn(self._connect(), "dovecot")

    async def _connect(self) -> None:
        connection = _Connection(self)
        self._connection = connection
        try:
            async with asyncio.timeout(CONNECT_TIME):
                if self._place.path:
                    await self.loop.create_unix_connection(lambda: connection, self._place.path)
                else:
                    await self.loop.create_connection(lambda: connection, self._place.host, self._place.port)
                if self._opening is not None:
                    await asyncio.shield(self._opening)
        except TimeoutError:
            self.lost(connection, "timed out")
        except OSError as error:
            self.lost(connection, error.strerror or str(error))

    def _opened(self) -> None:
        opening, self._opening = self._opening, None
        if opening is not None and not opening.done():
            opening.set_result(None)

    def ready(self, connection: _Connection, event: Ready) -> None:
        """The handshake is over."""
        if connection is self._connection:
            _offers[self._path] = dict(event.mechanisms)
            self._pause = _FIRST_PAUSE
            self._trouble = ""
            self._opened()

    def lost(self, connection: _Connection, why: str) -> None:
        """The connection cannot be used any more: try again after a while."""
        if connection is not self._connection:
            connection.end()
            return
        self._connection = None
        connection.end()
        known, self._trouble = self._trouble, why
        self._opened()
        if self._closed:
            return
        if why != known:  # not with each attempt
            text = f"SASL: Connect to Dovecot auth socket '{self._path}' failed: {why}"
            self._log.warning("smtpd", text)
        self._timer = self.loop.call_later(self._pause, self._open)
        self._pause = min(self._pause * 2, _LONGEST_PAUSE)


class DovecotExchange:
    """One exchange.  It belongs to the connection on which it began."""

    def __init__(self, owner: DovecotAuth, mechanism: str, session: Session) -> None:
        self._owner = owner
        self._mechanism = mechanism
        self._session = session
        self._connection: _Connection | None = None
        self._number = 0
        self._answer: asyncio.Future[Event | None] | None = None
        self._over = False

    async def step(self, response: bytes | None) -> SaslStep:
        """Take a response, and wait for what Dovecot says of it."""
        if self._over:
            return SaslStep(SaslState.FAILED, reason="the exchange is over")
        begun = self._connection is not None
        connection = self._connection or await self._owner.usable()
        if connection is None or self._over:
            return self._unavailable("Can't connect to authentication server")
        try:
            line = self._line(connection, response, begun=begun)
        except ResponseTooLongError:
            return self._end(SaslStep(SaslState.FAILED, reason="the response is too long"))
        except ValueError as error:
            return self._unavailable(str(error))
        return self._step(await self._ask(connection, line))

    def _line(self, connection: _Connection, response: bytes | None, *, begun: bool) -> bytes:
        if begun:
            return connection.client.resume(self._number, response or b"")
        self._connection = connection
        connection.last_number = self._number = connection.last_number % 0x7FFFFFFF + 1
        session = self._session
        facts = session.tls_facts
        context = Context(
            self._owner.service,
            session.client.server_address,
            session.client.address,
            secured=facts is not None or bool(session.tls),
            valid_certificate=facts is not None and facts.peer is not None and facts.peer.trusted,
        )
        return connection.client.begin(self._number, self._mechanism, context, response)

    async def _ask(self, connection: _Connection, line: bytes) -> Event | None:
        """Send a line and wait; None when there is no answer."""
        transport = connection.transport
        if transport is None or transport.is_closing() or transport.get_write_buffer_size() > _WRITE_LIMIT:
            return None
        loop = self._owner.loop
        answer: asyncio.Future[Event | None] = loop.create_future()
        self._answer = answer
        connection.waiters[self._number] = self._answered
        heard = connection.heard
        transport.write(line)
        timer = loop.call_later(ANSWER_TIME, self._late, connection, heard)
        try:
            return await answer
        finally:
            timer.cancel()
            self._answer = None

    def _answered(self, event: Event | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(event)

    def _late(self, connection: _Connection, heard: int) -> None:
        if connection.heard == heard:  # not a word since: it hangs
            self._owner.lost(connection, "timed out while waiting for a reply")
        self._answered(None)

    def _step(self, event: Event | None) -> SaslStep:
        match event:
            case Continue():
                return SaslStep(SaslState.MORE, challenge=event.challenge)
            case Accepted():
                return self._end(SaslStep(SaslState.DONE, username=event.username))
            case Rejected() if event.temporary:
                return self._unavailable(event.reason or "Dovecot could not look", event.username)
            case Rejected():
                reason = event.reason or ", ".join(sorted(event.flags))
                return self._end(SaslStep(SaslState.FAILED, username=event.username, reason=reason))
        return self._unavailable("Connection lost to authentication server")

    def _unavailable(self, reason: str, username: str = "") -> SaslStep:
        self.cancel()
        return SaslStep(SaslState.UNAVAILABLE, username=username, reason=reason)

    def _end(self, step: SaslStep) -> SaslStep:
        self._over = True
        return step

    def cancel(self) -> None:
        """Forget it, and tell Dovecot, as far as it may still want to know."""
        if self._over:
            return
        self._over = True
        connection = self._connection
        if connection is not None:
            connection.waiters.pop(self._number, None)
            if connection.transport is not None and not connection.transport.is_closing():
                connection.transport.write(connection.client.cancel(self._number))
        self._answered(None)
