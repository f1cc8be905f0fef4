"""One question to one DNS server: UDP from a fresh port, TCP when the answer is too long for it."""

from __future__ import annotations

import asyncio
import random
import struct

from postroad.net.answer import (
    Answer,
    BadAnswer,
    Elsewhere,
    Refused,
    Truncated,
    question,
    read_answer,
    wire_name,
)
from postroad.net.servers import Server

_FORMERR, _NOTIMP = 1, 4
#: Packets that answer another question are forgeries or leftovers; after so many the server is given up.
_STRAY_LIMIT = 20


class _Datagrams(asyncio.DatagramProtocol):
    """Waits for the datagram that answers."""

    def __init__(self, name: str, kind: str, number: int) -> None:
        self.done: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._asked = (name, kind, number)
        self._strays = 0

    def datagram_received(self, data: bytes, addr: object) -> None:  # noqa: ARG002 - the socket is connected
        if self.done.done():
            return
        try:
            self.done.set_result(read_answer(data, *self._asked))
        except (Refused, Truncated, Elsewhere) as error:
            self.done.set_exception(error)
        except BadAnswer as error:
            # Nothing says that it came from the server: wait for the real one.
            self._strays += 1
            if self._strays >= _STRAY_LIMIT:
                self.done.set_exception(error)

    def error_received(self, exc: Exception) -> None:
        if not self.done.done():
            self.done.set_exception(exc)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(exc or BadAnswer("closed"))


class Exchange:
    """Asks.  Runs in a task (it uses asyncio.timeout)."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng

    async def ask(self, server: Server, name: str, kind: str, seconds: float) -> Answer:
        """Ask one server within ``seconds``.

        Raises OSError, TimeoutError, BadAnswer and its kinds, or Elsewhere.
        """
        wire = wire_name(name)
        if wire is None:
            raise BadAnswer("not a domain name")
        async with asyncio.timeout(seconds):
            try:
                return await self._udp(server, name, kind, wire, edns=True)
            except Truncated:
                return await self._tcp(server, name, kind, wire)
            except Refused as error:
                if error.code not in (_FORMERR, _NOTIMP):
                    raise
            # RFC 6891 7: a server that does not know EDNS says FORMERR.
            try:
                return await self._udp(server, name, kind, wire, edns=False)
            except Truncated:
                return await self._tcp(server, name, kind, wire)

    async def _udp(self, server: Server, name: str, kind: str, wire: bytes, *, edns: bool) -> Answer:
        # RFC 5452 9.2: a fresh socket has a fresh port, and the kernel drops what others send to it.
        number = self._rng.getrandbits(16)
        transport, protocol = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: _Datagrams(name, kind, number), remote_addr=(server.address, server.port)
        )
        try:
            transport.sendto(question(wire, kind, number, edns=edns))
            return await protocol.done
        finally:
            if protocol.done.done():
                protocol.done.exception()
            else:
                protocol.done.cancel()
            transport.close()

    async def _tcp(self, server: Server, name: str, kind: str, wire: bytes) -> Answer:
        number = self._rng.getrandbits(16)
        packet = question(wire, kind, number, edns=False)
        reader, writer = await asyncio.open_connection(server.address, server.port)
        try:
            writer.write(struct.pack("!H", len(packet)) + packet)
            (size,) = struct.unpack("!H", await reader.readexactly(2))
            data = await reader.readexactly(size)
        except asyncio.IncompleteReadError as error:
            raise BadAnswer("connection closed early") from error
        finally:
            writer.transport.abort()
        try:
            return read_answer(data, name, kind, number)
        except Truncated as error:
            raise BadAnswer("truncated over TCP") from error
