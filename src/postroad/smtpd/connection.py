"""One connection: bytes between the socket and the machine, the clock, and the end."""

from __future__ import annotations

import asyncio
import pwd
import socket
import struct
from math import inf
from typing import TYPE_CHECKING, cast

from postroad.base.tasks import start
from postroad.model.client import Client
from postroad.model.reply import Reply
from postroad.model.session import Session
from postroad.proto.machine import State
from postroad.proto.options import BareNewline
from postroad.proto.server import ServerSession
from postroad.smtpd import events
from postroad.smtpd.hooks import SessionHooks
from postroad.smtpd.transcript import counts_text

if TYPE_CHECKING:
    from postroad.smtpd.service import SmtpdService

#: Bytes that may wait for the client to read them before nothing more is read from it.
_WRITE_LIMIT = 1 << 16
#: Seconds that a client has for reading the last reply.
_FAREWELL = 10.0
_LOST = "lost connection"
_PEER_CREDENTIALS = struct.Struct("3i")


class Connection(asyncio.Protocol):
    """The asyncio protocol of one session.

    Not one that is asked for a buffer: uvloop reads for all its connections into one of its own.
    """

    __slots__ = (
        "_begun", "_blocked", "_draining", "_ended", "_entered", "_eof", "_hooks", "_known", "_loop",
        "_paused", "_service", "_transport", "deadline", "machine", "session",
    )  # fmt: skip

    def __init__(self, service: SmtpdService) -> None:
        self._service = service
        self._loop = service.loop
        self.deadline = inf
        self._transport: asyncio.Transport | None = None
        self._begun = False  # it has its place in the service
        self._known = False  # the log has its "connect from"
        self._entered = ""  # the address under which the session is counted
        self._paused = False
        self._blocked = False  # the client does not read
        self._eof = False
        self._draining = False
        self._ended = False  # the log has its "disconnect from"

    # -- asyncio's calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client is here; it hears nothing before there is a place for it."""
        transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass
        self._transport = transport
        transport.set_write_buffer_limits(_WRITE_LIMIT)
        service = self._service
        self.session = Session(_local_client(transport) if service.local else _remote_client(transport))
        self._hooks = SessionHooks(service, self.session, self)
        self.machine = ServerSession(service.options, self.session, self._hooks)
        if service.enter(self):
            self.begin()

    def data_received(self, data: bytes) -> None:
        """Bytes have come."""
        if self._service.whole_requests:
            self._take_in_time(data)
        else:
            self.machine.feed(data)
            self._step()

    def _take_in_time(self, data: bytes) -> None:
        """Take bytes where a deadline is that of a whole request: part of a command does not move it."""
        machine, service = self.machine, self._service
        in_content = machine.state is State.CONTENT or machine.chunk is not None
        machine.feed(data)
        if machine.out or machine.busy or machine.closed or self._draining:
            self._step()
        elif in_content:  # it earns time
            earned = self.deadline + len(data) / service.data_rate
            self.deadline = min(earned, self._loop.time() + service.timeout)

    def eof_received(self) -> bool:
        """The client sends no more; what it sent is still answered."""
        self._eof = True
        if self.machine.busy and not self.machine.closed:
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
        self._transport = None
        self._service.wheel.leave(self)
        self._service.leave(self, self._entered)
        self._entered = ""

    def expired(self) -> None:
        """The deadline is over: for the client, or for the last reply to it."""
        machine, transport = self.machine, self._transport
        if transport is None:
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
        self._service.wheel.join(self)
        start(self._prepare(), self._prepared)

    async def _prepare(self) -> Reply | None:
        """Return the refusal of a client that may have no session."""
        service, machine, client = self._service, self.machine, self.session.client
        if service.local:
            machine.bare = BareNewline.NORMALIZE  # whatever strangers may do
            return None
        if service.identify is not None:
            await service.identify(client)
        self._known = True
        service.log.emit(events.CONNECT, client.named_address)
        if service.connection_limit and not await service.is_uncounted(client):
            refusal = self._count()
            if refusal is not None:
                return refusal
        machine.discards = await service.discards_of(client)
        if await service.bare_newline_allowed(client):
            machine.bare = BareNewline.ALLOW
        return None

    def _count(self) -> Reply | None:
        """Count the session among those of its client; return the refusal when they are too many."""
        service, client = self._service, self.session.client
        self._entered = client.address
        number = service.counts.enter(client.address)
        if number <= service.connection_limit:
            return None
        service.log.emit(events.TOO_MANY_SESSIONS, number, client.named_address, service.name)
        text = f"{service.options.hostname} Error: too many connections from {client.address}"
        return Reply(421, "4.7.0", text)

    def _prepared(self, refusal: Reply | None, error: BaseException | None) -> None:
        if self._transport is None:  # it left meanwhile
            if self._entered:
                self._service.counts.leave(self._entered)
                self._entered = ""
            return
        if error is not None:
            self._service.log.emit(events.FAILED, self.session.client.named_address, "CONNECT", repr(error))
            refusal = Reply(421, "4.3.0", f"{self._service.options.hostname} Server local data error")
        if refusal is not None:
            self.machine.end(refusal)
        else:
            self.machine.start()
        self._step()

    def answer(self, reply: Reply | None) -> None:
        """Hand an answer to the machine that had to wait for it."""
        if self._transport is None:
            self._hooks.discard()
            return
        machine = self.machine
        machine.answer(reply)
        self._step()

    def _step(self) -> None:
        """Write what the machine has to say, and see what it waits for."""
        machine, transport = self.machine, self._transport
        if transport is None:
            return
        if self._draining and not machine.busy and machine.state is State.IDLE:
            machine.end(self._service.farewell)
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
            self.deadline = inf
            self._regulate()
        elif self._eof:
            self._finish(_LOST)
            machine.close()
            transport.close()
        else:
            self.deadline = self._loop.time() + self._service.timeout
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
        if self._begun:
            self._step()
        else:
            self.cut()

    def cut(self) -> None:
        """End the session now; what the client does not read at once it does not get."""
        transport = self._transport
        if transport is not None:
            self.machine.end(self._service.farewell)
            self._step()
            if transport.get_write_buffer_size():
                transport.abort()

    def _finish(self, reason: str) -> None:
        """Log the end of the session, once."""
        if self._ended:
            return
        self._ended = True
        machine, log, client = self.machine, self._service.log, self.session.client.named_address
        where = machine.where
        reason = self._hooks.reason or reason
        receiving = machine.state in (State.CONTENT, State.CHUNKS) or machine.chunk is not None
        if not self._known:
            return
        if reason and receiving and where in ("DATA", "BDAT"):
            log.emit(events.ENDED_IN_CONTENT, reason, where, machine.received, client)
        elif reason and (reason != _LOST or where != "END-OF-MESSAGE"):
            log.emit(events.ENDED, reason, where, client)
        log.emit(events.DISCONNECT, client, counts_text(machine.accepted, machine.counts))


def _remote_client(transport: asyncio.Transport) -> Client:
    peer = transport.get_extra_info("peername") or ("unknown", 0)
    own = transport.get_extra_info("sockname") or ("", 0)
    return Client(_plain(peer[0]), peer[1], server_address=_plain(own[0]), server_port=own[1])


def _plain(address: str) -> str:
    """An IPv4 address that came by an IPv6 socket is an IPv4 address; a zone is none of ours."""
    return address.removeprefix("::ffff:").partition("%")[0] if ":" in address else address


def _local_client(transport: asyncio.Transport) -> Client:
    """The user at the other end of a UNIX socket, as the kernel has it."""
    raw = transport.get_extra_info("socket").getsockopt(
        socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER_CREDENTIALS.size
    )
    uid = _PEER_CREDENTIALS.unpack(raw)[1]
    try:
        login = pwd.getpwuid(uid).pw_name
    except KeyError:
        login = str(uid)
    return Client("127.0.0.1", name="localhost", name_code=2, trusted=True, local_uid=uid, login=login)
