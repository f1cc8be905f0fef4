"""A connection to a before-queue content filter: one command and its reply at a time, and the clock."""

from __future__ import annotations

import asyncio
import os
import re
import socket
from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import cast

from postroad.base.errors import PostroadError
from postroad.base.tasks import spawn
from postroad.base.wheel import Wheel
from postroad.proto.replies import GarbledReply, ReplyParser, ServerReply, printable

_INET = re.compile(r"(?:(?:\[([0-9A-Fa-f:.]+)\]|([^:\[\]]*)):)?([A-Za-z0-9-]+)")
_WRITE_LIMIT = 1 << 18  # bytes that may wait for the filter to read them
_IDLE = 3600.0  # seconds that a connection may be left alone: nobody is behind it any more
QUIT = b"QUIT\r\n"


class ProxyError(PostroadError):
    """The filter could not be asked; ``str()`` is what the log has of it."""


@dataclass(frozen=True, slots=True)
class ProxySpec:
    """Where a filter is: ``name`` is as it was written; it has a host and a port, or the path of a socket."""

    name: str
    host: str = ""
    port: str = ""
    path: str = ""


def read_spec(text: str, queue_directory: str) -> ProxySpec:
    """Read ``smtpd_proxy_filter``; ValueError for what is no place."""
    kind, _, rest = text.partition(":")
    if kind == "unix" and rest:
        return ProxySpec(text, path=os.path.join(queue_directory, rest))  # noqa: PTH118 - /absolute stays
    found = _INET.fullmatch(text.removeprefix("inet:"))
    if found is None:
        raise ValueError(f"bad smtpd_proxy_filter: {text}: expected host:port, inet:host:port or unix:path")
    return ProxySpec(text, host=found[1] or found[2] or "localhost", port=found[3])


class ProxyLink(asyncio.Protocol):
    """One connection.  Nobody else uses it while ``ask`` or ``drain`` is awaited.

    ``on_room`` is called when what was written has gone, and more may be.
    """

    def __init__(self, spec: ProxySpec, limit: float, wheel: Wheel, loop: asyncio.AbstractEventLoop) -> None:
        self.spec = spec
        self.deadline = inf
        self.blocked = False
        self.on_room: Callable[[], None] | None = None
        self._limit = limit
        self._wheel = wheel
        self._loop = loop
        self._parser = ReplyParser()
        self._parser.strict = True
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[ServerReply] | None = None
        self._room: asyncio.Future[None] | None = None
        self._failure: ProxyError | None = None

    # -- asyncio's calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The filter is there."""
        if self._failure is not None:  # nobody wants it any more
            transport.close()
            return
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass
        self._transport.set_write_buffer_limits(_WRITE_LIMIT)
        self.deadline = self._loop.time() + self._limit
        self._wheel.join(self)

    def data_received(self, data: bytes) -> None:
        """Take what the filter says."""
        self._parser.feed(data)
        if self._answer is not None:
            self._hear()
        elif len(self._parser.buffer) > _WRITE_LIMIT:  # it speaks without an end, and nobody listens
            self._fail(f"received garbage from proxy {self.spec.name}: {printable(data[:100])}")

    def pause_writing(self) -> None:
        """The filter does not read."""
        self.blocked = True

    def resume_writing(self) -> None:
        """The filter reads again."""
        self.blocked = False
        if self._answer is None and self._failure is None:
            self.deadline = self._loop.time() + _IDLE
        room, self._room = self._room, None
        if room is not None and not room.done():
            room.set_result(None)
        if self.on_room is not None:
            self.on_room()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone, by whomever."""
        del exc
        self._transport = None
        self._fail(f"lost connection with proxy {self.spec.name}")

    def expired(self) -> None:
        """The filter took too long."""
        transport = self._transport
        self._fail(f"timeout talking to proxy {self.spec.name}")
        if transport is not None:
            transport.abort()

    # -- for the one who asks

    async def ask(self, data: bytes) -> ServerReply:
        """Write a command and return its reply.  ProxyError: there is none, and never will be here.

        What it has said before it was asked belongs to nothing: a yes must not be taken for another's.
        """
        if self._failure is None and data and self._parser.pending:
            self._fail(
                f"received garbage from proxy {self.spec.name}: {printable(self._parser.buffer[:100])}"
            )
        if self._failure is not None:
            raise self._failure
        answer: asyncio.Future[ServerReply] = self._loop.create_future()
        self._answer = answer
        self.deadline = self._loop.time() + self._limit
        if data and self._transport is not None:
            self._transport.write(data)
        self._hear()
        return await answer

    def early(self) -> ServerReply | None:
        """Return what the filter has said while nothing was asked, None when that is no whole reply."""
        try:
            return self._parser.next() if self._parser.pending else None
        except GarbledReply:
            return None

    def write(self, data: bytes) -> None:
        """Write something that has no answer of its own.  Nothing happens on a lost connection."""
        if self._transport is not None and self._failure is None:
            self._transport.write(data)
            self.deadline = self._loop.time() + (self._limit if self.blocked else _IDLE)

    async def drain(self) -> None:
        """Wait until there is room for more; ProxyError when there will be none."""
        if self._failure is None and self.blocked:
            self._room = self._loop.create_future()
            self.deadline = self._loop.time() + self._limit
            await self._room
        if self._failure is not None:
            raise self._failure

    def close(self, farewell: bytes = b"") -> None:
        """End the connection; ``farewell`` is said before.  Without one what was not read is lost."""
        transport, self._transport = self._transport, None
        self._fail(f"lost connection with proxy {self.spec.name}")
        if transport is not None:
            if farewell:
                transport.write(farewell)
                transport.close()
            else:
                transport.abort()

    def _hear(self) -> None:
        try:
            reply = self._parser.next()
        except GarbledReply as garbled:
            self._fail(f"received garbage from proxy {self.spec.name}: {garbled.line}")
            return
        if reply is not None:
            self.deadline = self._loop.time() + _IDLE
            answer, self._answer = self._answer, None
            if answer is not None and not answer.done():
                answer.set_result(reply)

    def _fail(self, reason: str) -> None:
        """End the conversation, once; what is asked now is answered with the reason."""
        self.deadline = inf
        self._wheel.leave(self)
        if self._failure is None:
            self._failure = ProxyError(reason)
        for waiting in (self._answer, self._room):
            if waiting is not None and not waiting.done():
                waiting.set_exception(self._failure)
        self._answer = self._room = self.on_room = None
        if self._transport is not None and not self._transport.is_closing():
            self._transport.close()


async def dial(link: ProxyLink, limit: float, loop: asyncio.AbstractEventLoop) -> None:
    """Connect a link to its filter; ProxyError."""
    reason = await spawn(_dial(link, limit, loop), f"proxy {link.spec.name}")
    if reason:
        raise ProxyError(f"connect to proxy filter {link.spec.name}: {reason}")


async def _dial(link: ProxyLink, limit: float, loop: asyncio.AbstractEventLoop) -> str:
    """Return "" or, in the system's words, why it did not come about."""
    spec, reason = link.spec, "Host not found"
    try:
        async with asyncio.timeout(limit):
            if spec.path:
                await loop.create_unix_connection(lambda: link, spec.path)
                return ""
            found = await loop.getaddrinfo(spec.host, spec.port, type=socket.SOCK_STREAM)
            for place in dict.fromkeys(each[4][:2] for each in found):
                try:
                    await loop.create_connection(lambda: link, str(place[0]), int(place[1]))
                except OSError as error:
                    reason = _words(error)
                else:
                    return ""
    except TimeoutError:
        reason = "Connection timed out"
    except OSError as error:
        reason = _words(error)
    return reason


def _words(error: OSError) -> str:
    if isinstance(error, socket.gaierror) or not error.errno:
        return error.strerror or "Host not found"
    return os.strerror(error.errno)
