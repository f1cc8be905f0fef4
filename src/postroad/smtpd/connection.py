"""One connection: bytes between the socket and the machine, the clock, and the end."""

from __future__ import annotations

import asyncio
from math import inf
from typing import TYPE_CHECKING, cast

from postroad.base.tasks import start
from postroad.model.reply import Reply
from postroad.model.session import Session
from postroad.proto.machine import State
from postroad.proto.server import ServerSession
from postroad.smtpd import events
from postroad.smtpd.admission import admit
from postroad.smtpd.client import local_client, remote_client
from postroad.smtpd.encryption import Encryption
from postroad.smtpd.hooks import SessionHooks
from postroad.smtpd.transcript import counts_text

if TYPE_CHECKING:
    from postroad.net.tls.server import ServerTls
    from postroad.smtpd.service import SmtpdService

#: Bytes that may wait for the client to read them before nothing more is read from it.
_WRITE_LIMIT = 1 << 16
#: Seconds that a client has for reading the last reply.
_FAREWELL = 10.0
_LOST = "lost connection"


class Connection(asyncio.Protocol):
    """The asyncio protocol of one session.

    Not one that is asked for a buffer: uvloop reads for all its connections into one of its own.
    """

    __slots__ = (
        "_begun", "_blocked", "_draining", "_ended", "_eof", "_greeted", "_loop", "_paused", "_refusal",
        "_timing", "_tls", "_transport", "deadline", "entered", "hooks", "known", "machine", "service",
        "session", "turned_away",
    )  # fmt: skip

    def __init__(self, service: SmtpdService) -> None:
        self.service = service
        self._loop = service.loop
        self._timing = service.timing
        self.deadline = inf
        self._transport: asyncio.Transport | None = None
        self._begun = False  # it has its place in the service
        self._greeted = False
        self.known = False  # the log has its "connect from"
        self.entered = ""  # the address under which the session is counted
        self._paused = False
        self._blocked = False  # the client does not read
        self._eof = False
        self._draining = False
        self._ended = False  # the log has its "disconnect from"
        self._tls: Encryption | None = None  # from STARTTLS on, or from the beginning
        self._refusal: Reply | None = None  # of a client whose session begins with TLS
        self.turned_away: Reply | None = None  # what the client is told, whoever it is

    # -- asyncio's calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client is here; it hears nothing before there is a place for it."""
        transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass
        self._transport = transport
        transport.set_write_buffer_limits(_WRITE_LIMIT)
        service = self.service
        self.session = Session(local_client(transport) if service.local else remote_client(transport))
        self.hooks = SessionHooks(service, self.session, self)
        self.machine = ServerSession(service.options, self.session, self.hooks)
        if service.security.wrapper and not service.local:
            self._tls = Encryption(self, service, transport)
        if service.guests.enter(self):
            self.begin()

    def data_received(self, data: bytes) -> None:
        """Bytes have come."""
        if self._tls is not None:
            self._decrypt(self._tls, data)
        elif self._timing.whole_requests:
            self._take_in_time(data)
        else:
            self.machine.feed(data)
            self._step()

    def _decrypt(self, tls: Encryption, data: bytes) -> None:
        """Take bytes of a session under TLS."""
        plain = tls.receive(data)
        if plain and not self.machine.closed:
            if tls.parting is not None:
                self.machine.end(tls.parting)
                self._step()
            elif self._timing.whole_requests:
                self._take_in_time(plain)
            else:
                self.machine.feed(plain)
                self._step()
        if tls.closed and not self._eof and not self.eof_received() and self._transport is not None:
            self._transport.close()

    def _take_in_time(self, data: bytes) -> None:
        """Take bytes where a deadline is that of a whole request: part of a command does not move it."""
        machine, timing = self.machine, self._timing
        in_content = machine.state is State.CONTENT or machine.chunk is not None
        machine.feed(data)
        if machine.out or machine.busy or machine.closed or self._draining:
            self._step()
        elif in_content:  # it earns time
            earned = self.deadline + len(data) / timing.data_rate
            self.deadline = min(earned, self._loop.time() + timing.timeout)

    def eof_received(self) -> bool:
        """The client sends no more; what it sent is still answered."""
        self._eof = True
        if self.machine.busy and not self.machine.closed and not self._is_shaking:
            return True
        self._finish(_LOST)
        self.machine.close()
        return False

    def pause_writing(self) -> None:
        """The client does not read its replies."""
        self._blocked = True
        self._regulate()

    def resume_writing(self) -> None:
        """The client reads again."""
        self._blocked = False
        self._regulate()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone, by whomever."""
        del exc
        self._finish(_LOST)
        if not self.machine.closed:
            self.machine.close()
        if self.hooks.filters is not None:
            self.hooks.filters.close()
        if self.session.on_end is not None:
            self.session.on_end()
        self._transport = None
        self.service.wheel.leave(self)
        self.service.guests.leave(self, self.entered)
        self.entered = ""
        # OpenSSL's memory must not wait for the collector, which finds this connection's cycles one day.
        self._tls = self.session.channel_binding = None

    def expired(self) -> None:
        """The deadline is over: for the client, or for the last reply to it."""
        machine, transport = self.machine, self._transport
        if transport is None:
            return
        if self._tls is not None and self._tls.handshaking:
            self._tls.failed("Connection timed out")
            self._finish(_LOST)
            machine.close()
            transport.abort()
            return
        self._finish("timeout")
        if machine.closed or self._blocked:
            transport.abort()
            return
        machine.end(Reply(421, "4.4.2", f"{machine.options.hostname} Error: timeout exceeded"))
        self._step()

    # -- the session

    def begin(self) -> None:
        """Find out who the client is, then greet it."""
        self._begun = True
        self.deadline = inf
        self.service.wheel.join(self)
        start(admit(self), self._prepared)

    def _prepared(self, refusal: Reply | None, error: BaseException | None) -> None:
        if self._transport is None:  # it left meanwhile
            if self.entered:
                self.service.tally.sessions.leave(self.entered)
                self.entered = ""
            return
        if self.machine.closed:  # the server stops
            return
        if error is not None:
            self.service.log.emit(events.FAILED, self.session.client.named_address, "CONNECT", repr(error))
            refusal = Reply(421, "4.3.0", f"{self.service.options.hostname} Server local data error")
        if self._tls is None:
            self._greet(refusal)
        elif self.turned_away is not None:
            self._drop()
        else:
            self._refusal = refusal
            self._wrap(self._tls)

    def _greet(self, refusal: Reply | None) -> None:
        self._greeted = True
        if refusal is not None:
            self.machine.end(refusal)
        else:
            self.machine.start()
        self._step()

    # -- TLS

    def _wrap(self, tls: Encryption) -> None:
        """Begin with TLS, before the first word."""
        service = self.service
        if service.tls is None or not service.tls.ready:
            service.log.emit(events.NO_WRAPPER, self.session.client.named_address, service.name)
            self._drop()
            return
        transport = self._transport
        if transport is None or transport.is_closing():  # the client did not wait
            return
        self._shake_hands(tls, service.tls)
        transport.resume_reading()
        early = tls.take_early()
        if early:
            self._decrypt(tls, early)

    def _upgrade(self) -> None:
        """The client was told to go ahead: what it sends from now on is TLS."""
        transport, tls = self._transport, self.service.tls
        if transport is None or tls is None:  # the latter cannot be: the hook has looked
            self._drop()
            return
        self._tls = Encryption(self, self.service, transport)
        self._shake_hands(self._tls, tls)

    def _shake_hands(self, encryption: Encryption, tls: ServerTls) -> None:
        self._transport = encryption.begin(tls)
        self.deadline = self._loop.time() + self.service.security.timeout

    def secured(self, refusal: Reply | None) -> None:
        """The session is encrypted, and its client may go on or not."""
        tls, machine = self._tls, self.machine
        if self._transport is None or tls is None or machine.closed:
            return
        if not machine.upgrading:
            self._greet(refusal or self._refusal)
            return
        if refusal is None:
            machine.answer(None)
        elif machine.backlog:
            machine.end(refusal)
        else:  # said at once, it might never be read: the client's next command would meet a closed socket
            tls.parting = refusal
            machine.answer(None)
        self._step()

    def lost(self) -> None:
        """TLS is broken: no word of the client's can be trusted any more, and none reaches it."""
        self._finish(_LOST)
        self.machine.close()
        self.deadline = self._loop.time() + _FAREWELL  # for the alert
        if self._transport is not None:
            self._transport.close()

    def _drop(self) -> None:
        """End a session in which nothing can be said."""
        if self._tls is not None:
            self._tls.handshaking = False
        self._finish("")
        self.machine.close()
        if self._transport is not None:
            self._transport.abort()

    # -- answers

    def answer(self, reply: Reply | None) -> None:
        """Hand an answer to the machine that had to wait for it."""
        if self._transport is None:
            self.hooks.discard()
            return
        machine = self.machine
        machine.answer(reply)
        self._step()

    def _step(self) -> None:
        """Write what the machine has to say, and see what it waits for."""
        machine, transport = self.machine, self._transport
        if transport is None:
            return
        if self._draining and not machine.busy and machine.state in (State.IDLE, State.PLAIN):
            machine.end(self.service.farewell)
        out = machine.out
        if out:
            transport.write(out[0] if len(out) == 1 else b"".join(out))
            out.clear()
        if machine.sleeping:
            self.deadline = inf
            self._loop.call_later(machine.options.error_sleep, self._wake)
            self._regulate()
        elif machine.closed:
            self.deadline = self._loop.time() + _FAREWELL
            self._finish("")
            transport.close()
        elif machine.waiting:
            if machine.upgrading:
                if self._tls is None:
                    self._upgrade()
                return
            self.deadline = inf
            self._regulate()
        elif self._eof:
            self._finish(_LOST)
            machine.close()
            transport.close()
        else:
            self.deadline = self._loop.time() + self._timing.timeout
            if self._paused:
                self._regulate()

    def _wake(self) -> None:
        if self._transport is not None and self.machine.sleeping:
            self.machine.wake()
            self._step()

    def _regulate(self) -> None:
        """Read on or not: what nobody looks at yet, or nobody reads, must not grow."""
        transport, machine = self._transport, self.machine
        if transport is None or transport.is_closing():
            return
        wanted = self._blocked or (machine.backlog > 0 and machine.busy)
        if wanted and not self._paused:
            transport.pause_reading()
        elif self._paused and not wanted:
            transport.resume_reading()
        self._paused = wanted

    def drain(self) -> None:
        """End the session as soon as it is not inside a transaction."""
        self._draining = True
        if self._greeted and not self._is_shaking:
            self._step()
        else:  # it has brought nothing yet, and may never do
            self.cut()

    @property
    def _is_shaking(self) -> bool:
        return self._tls is not None and self._tls.handshaking

    def cut(self) -> None:
        """End the session now; what the client does not read at once it does not get."""
        transport = self._transport
        if self._tls is not None and self._tls.handshaking:  # no word can be said
            self._drop()
        elif transport is not None:
            self.machine.end(self.service.farewell)
            self._step()
            if transport.get_write_buffer_size():
                transport.abort()

    def _finish(self, reason: str) -> None:
        """Log the end of the session, once."""
        if self._ended:
            return
        self._ended = True
        if self._tls is not None and self.known:
            self._tls.failed("lost connection")
        machine, log, client = self.machine, self.service.log, self.session.client.named_address
        where = machine.where
        reason = self.hooks.reason or reason
        receiving = machine.state in (State.CONTENT, State.CHUNKS) or machine.chunk is not None
        if not self.known:
            return
        if reason and receiving and where in ("DATA", "BDAT"):
            log.emit(events.ENDED_IN_CONTENT, reason, where, machine.received, client)
        elif reason and (reason != _LOST or where != "END-OF-MESSAGE"):
            log.emit(events.ENDED, reason, where, client)
        log.emit(events.DISCONNECT, client, counts_text(machine.accepted, machine.counts))
