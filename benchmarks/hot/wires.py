"""The world around one worker, without the kernel: time, sockets, clients and the next hop.

Everything here is as cheap as it can be and does the same at every run: time goes on by a fixed step
whenever somebody looks, and what is written to a connection arrives at the next turn of the loop, as
it would over a socket.  It relies on nothing but asyncio's own interfaces and the dialer's ``reach``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

from postroad.delivery.smtp import dial

#: Seconds from one look at the clock to the next.
_STEP = 5e-6
_MOST_IDLE_TURNS = 100_000
END = b"\r\n.\r\n"


class StepClock:
    """Both clocks of ``base.clock``; ``now`` and ``steady`` are no Python functions, as in reality."""

    def __init__(self) -> None:
        self.now: Callable[[], float] = count(1_700_000_000.0, _STEP).__next__
        self.steady: Callable[[], float] = count(1000.0, _STEP).__next__


class Loop(asyncio.SelectorEventLoop):
    """An event loop that keeps our time, and connects to ``next_hop`` whomever it is asked for."""

    def __init__(self, clock: StepClock) -> None:
        super().__init__()
        self.time = clock.steady  # type: ignore[method-assign]
        self.world = World()
        self._reach = dial.reach
        dial.reach = self.sock_connect

    def close(self) -> None:
        """Leave the dialer as it was: other tests run in this process."""
        dial.reach = self._reach
        super().close()

    async def sock_connect(self, *_where: Any) -> None:
        """Nothing is connected: see ``create_connection``."""

    async def create_connection(self, protocol_factory: Any, *_where: Any, **more: Any) -> Any:
        """Return a connection to the next hop of this world."""
        if more.get("sock") is not None:
            more["sock"].close()
        protocol = protocol_factory()
        wire = Wire(NextHop(self.world, protocol).took, protocol, ("192.0.2.25", 25))
        self.world.wires.append(wire)
        protocol.connection_made(wire)
        return wire, protocol


class World:
    """What is on its way to the protocols of the worker.  ``taken`` counts the next hop's messages."""

    def __init__(self) -> None:
        self.inbox: list[tuple[Any, bytes]] = []  # protocols of either kind, and what they are to read
        self.wires: list[Wire] = []
        self.taken = 0

    async def turn_until(self, over: Callable[[], bool]) -> None:
        """Let everything arrive, turn by turn, until ``over()``.  RuntimeError when nothing moves."""
        idle = 0
        while not over():
            inbox, self.inbox = self.inbox, []
            for protocol, data in inbox:
                if isinstance(protocol, asyncio.BufferedProtocol):
                    size = len(data)
                    protocol.get_buffer(size)[:size] = data  # type: ignore[index]
                    protocol.buffer_updated(size)
                else:
                    protocol.data_received(data)
            idle = 0 if inbox else idle + 1
            if idle > _MOST_IDLE_TURNS:
                raise RuntimeError("a message got stuck")
            await asyncio.sleep(0)

    def hang_up(self) -> None:
        """Close what is still open."""
        for wire in self.wires:
            wire.abort()
        self.wires.clear()


class Wire(asyncio.Transport):
    """A transport whose other end takes at once what is written."""

    def __init__(self, took: Callable[[bytes], None], protocol: Any, peer: tuple[str, int]) -> None:
        self.write = took  # type: ignore[method-assign, assignment]
        self._protocol = protocol
        self._peer = peer
        self._closing = False

    def writelines(self, list_of_data: Any) -> None:
        self.write(b"".join(list_of_data))

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return {"peername": self._peer, "sockname": ("127.0.0.1", 25)}.get(name, default)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def get_write_buffer_size(self) -> int:
        return 0

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            asyncio.get_running_loop().call_soon(self._protocol.connection_lost, None)

    abort = close


class Client:
    """A client that says the pieces of a script, each when the one before was answered.

    The greeting is the first answer.  ``say`` goes on when a script is over.
    """

    def __init__(self, world: World, protocol: Any, script: Iterator[bytes]) -> None:
        self._world = world
        self._protocol = protocol
        self._script = script
        self.done = False
        protocol.connection_made(Wire(self.took, protocol, ("127.0.0.1", 40000)))

    def say(self, script: Iterator[bytes]) -> None:
        """Begin another script."""
        self._script = script
        self.done = False
        self._go_on()

    def took(self, data: bytes) -> None:
        """Hear a reply."""
        if data[0] > 0x33 or data[-1] != 0x0A:  # neither 2xx nor 3xx, or not the whole of it
            raise RuntimeError(f"not the answer that was expected: {data!r}")
        self._go_on()

    def _go_on(self) -> None:
        piece = next(self._script, None)
        if piece is None:
            self.done = True
        else:
            self._world.inbox.append((self._protocol, piece))


_REPLIES = {
    b"EHLO": b"250-next.example.net\r\n250-PIPELINING\r\n250-SIZE 10240000\r\n250-ENHANCEDSTATUSCODES\r\n"
    b"250-8BITMIME\r\n250-DSN\r\n250 SMTPUTF8\r\n",
    b"MAIL": b"250 2.1.0 Ok\r\n",
    b"RCPT": b"250 2.1.5 Ok\r\n",
    b"DATA": b"354 End data with <CR><LF>.<CR><LF>\r\n",
    b"RSET": b"250 2.0.0 Ok\r\n",
    b"QUIT": b"221 2.0.0 Bye\r\n",
}


class NextHop:
    """A server that takes everything; replies to what came together go back together."""

    def __init__(self, world: World, protocol: Any) -> None:
        self._world = world
        self._protocol = protocol
        self._rest = b""
        self._in_content = False
        world.inbox.append((protocol, b"220 next.example.net ESMTP\r\n"))

    def took(self, data: bytes) -> None:
        """Take commands and contents, cut anywhere."""
        data = self._rest + data
        replies = b""
        while data:
            if self._in_content:
                _content, end, after = data.partition(END)
                if not end:
                    break
                self._in_content = False
                self._world.taken += 1
                replies += b"250 2.0.0 Ok: queued as 4F1C2B3D4E\r\n"
            else:
                command, end, after = data.partition(b"\r\n")
                if not end:
                    break
                replies += _REPLIES[command[:4]]
                self._in_content = command == b"DATA"
            data = after
        self._rest = data
        if replies:
            self._world.inbox.append((self._protocol, replies))
