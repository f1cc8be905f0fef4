"""A connection to a milter: bytes between its socket and the machine, and the clock."""

from __future__ import annotations

import asyncio
import os
import socket
from math import inf
from typing import cast

from postroad.base.tasks import spawn
from postroad.base.wheel import Wheel
from postroad.filters.spec import MilterSpec
from postroad.proto.milter import codec
from postroad.proto.milter.codec import COMMAND_NAMES, MilterError
from postroad.proto.milter.machine import Decision, MilterMachine

#: Bytes that may wait for the milter to read them.
_WRITE_LIMIT = 1 << 18
_LOST = "Application error"  # Postfix's words for a milter that hung up
_LATE = "Connection timed out"


class Link(asyncio.Protocol):
    """One connection.  ``send`` gathers, ``ask`` and ``drain`` write; one coroutine at a time uses it."""

    def __init__(self, machine: MilterMachine, wheel: Wheel, loop: asyncio.AbstractEventLoop) -> None:
        self.machine = machine
        self.deadline = inf
        self._wheel = wheel
        self._loop = loop
        self._limit = 0.0  # seconds for the milter's next packet
        self._transport: asyncio.Transport | None = None
        self._out: list[bytes] = []
        self._answer: asyncio.Future[Decision] | None = None
        self._room: asyncio.Future[None] | None = None
        self._blocked = False
        self._failure: MilterError | None = None
        self._reason = _LOST

    # -- asyncio's calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The milter is there."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass
        self._transport.set_write_buffer_limits(_WRITE_LIMIT)
        self._wheel.join(self)

    def data_received(self, data: bytes) -> None:
        """Take what the milter says; each whole packet gives it new time."""
        machine = self.machine
        packets = machine.packets
        try:
            machine.feed(data)
            decision = machine.next()
        except MilterError as error:
            self._fail(error)
            return
        if decision is not None:
            self.deadline = inf
            answer, self._answer = self._answer, None
            if answer is not None and not answer.done():
                answer.set_result(decision)
        elif machine.packets != packets:
            self.deadline = self._loop.time() + self._limit

    def pause_writing(self) -> None:
        """The milter does not read."""
        self._blocked = True

    def resume_writing(self) -> None:
        """The milter reads again."""
        self._blocked = False
        room, self._room = self._room, None
        if room is not None and not room.done():
            room.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone, by whomever."""
        if exc is not None and isinstance(exc, OSError) and exc.strerror:
            self._reason = exc.strerror
        self._transport = None
        self._fail(None)

    def expired(self) -> None:
        """The milter took too long."""
        self._reason = _LATE
        self._fail(None)

    # -- for the one who asks

    def send(self, data: bytes) -> None:
        """Gather bytes that go out with the next question."""
        self._out.append(data)

    async def ask(self, limit: float) -> Decision:
        """Write what has gathered and return the decision; each packet may take ``limit`` seconds.

        MilterError: there is none, and never will be another on this connection.
        """
        answer: asyncio.Future[Decision] = self._loop.create_future()
        self._answer = answer
        self._limit = limit
        self.deadline = self._loop.time() + limit
        self._write()
        if self._failure is not None and not answer.done():
            self._answer = None
            raise self._lost()
        return await answer

    async def drain(self, data: memoryview, limit: float) -> None:
        """Write what has gathered and then ``data``, and wait until there is room for more.  MilterError."""
        self._write()
        if self._transport is not None and self._failure is None:
            self._transport.write(data)
        if self._failure is not None:
            raise self._lost()
        if self._blocked:
            self._room = self._loop.create_future()
            self.deadline = self._loop.time() + limit
            await self._room
            self.deadline = inf

    def write(self, data: bytes) -> None:
        """Write something that has no answer."""
        self._out.append(data)
        self._write()

    def close(self, *farewell: bytes) -> None:
        """Say good-bye and end the connection; who waits for something gets a MilterError."""
        self._out.clear()
        transport = self._transport
        if transport is not None and farewell:
            transport.write(b"".join(farewell))
        self._fail(None)

    def _write(self) -> None:
        out = self._out
        if out and self._transport is not None and self._failure is None:
            self._transport.write(out[0] if len(out) == 1 else b"".join(out))
        out.clear()

    def _lost(self) -> MilterError:
        """Return what the log has of a connection that was lost while nothing was asked."""
        if self._failure is not None and str(self._failure):
            return self._failure
        # where a body's pieces have no answers, the next one is to its end
        name = COMMAND_NAMES.get(self.machine.awaited or codec.END, "")
        return MilterError(f"can't read {name} reply packet header: {self._reason}")

    def _fail(self, error: MilterError | None) -> None:
        """End the connection, once; what is asked now is answered with the reason."""
        self.deadline = inf
        self._wheel.leave(self)
        if self._failure is None:
            self._failure = error or MilterError()
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.close() if self._reason is not _LATE else transport.abort()
        for waiting in (self._answer, self._room):
            if waiting is not None and not waiting.done():
                waiting.set_exception(self._lost())
        self._answer = self._room = None


async def dial(spec: MilterSpec, link: Link, loop: asyncio.AbstractEventLoop, queue_directory: str) -> str:
    """Connect a link to its milter; returns "" or, in the system's words, why that failed."""
    return await spawn(_dial(spec, link, loop, queue_directory), f"milter {spec.name}")


async def _dial(spec: MilterSpec, link: Link, loop: asyncio.AbstractEventLoop, queue_directory: str) -> str:
    try:
        async with asyncio.timeout(spec.connect_timeout):
            if spec.path:
                path = os.path.join(queue_directory, spec.path)  # noqa: PTH118 - /absolute stays as it is
                await loop.create_unix_connection(lambda: link, path)
                return ""
            found = await loop.getaddrinfo(spec.host, spec.port, type=socket.SOCK_STREAM)
            reason = ""
            for place in dict.fromkeys(each[4][:2] for each in found):
                try:
                    await loop.create_connection(lambda: link, str(place[0]), int(place[1]))
                except OSError as error:
                    reason = _words(error)
                else:
                    return ""
            return reason or "Host not found"
    except TimeoutError:
        return _LATE
    except OSError as error:
        return _words(error)


def _words(error: OSError) -> str:
    if isinstance(error, socket.gaierror):
        return error.strerror or "Host not found"
    return os.strerror(error.errno) if error.errno else str(error)
