"""How long a client waits for the 250 after its final dot, at a rate that is kept whatever the server does.

Each message has its moment, known before; the wait is counted from that moment, also if no
connection was free then or this program was late.  So a server that stops answering for a while
is charged for every message that should have come meanwhile (no "coordinated omission").
"""

import asyncio
import gc
import math
from collections import deque
from dataclasses import dataclass

import uvloop

from benchmarks.dialogue import ENVELOPE, content

CONNECTIONS = 100


@dataclass(frozen=True)
class Waits:
    """Milliseconds from a message's moment to its 250."""

    rate: float
    messages: int
    p50: float
    p99: float
    most: float


def quantile(ordered: list[float], share: float) -> float:
    """Return the smallest value that ``share`` of all do not exceed."""
    return ordered[max(0, math.ceil(len(ordered) * share - 1e-9) - 1)]


class Pacer:
    """Gives each message its moment and the next connection that is ready for it."""

    def __init__(self, data: bytes, rate: float, messages: int) -> None:
        self.data = data + b".\r\n"
        self.waits: list[float] = []
        self._rate = rate
        self._left = self._open = messages
        self._ready: deque[Client] = deque()
        self._due: deque[float] = deque()
        self._loop = asyncio.get_running_loop()
        self.over = self._loop.create_future()

    def start(self) -> None:
        self._next = self._loop.time() + 0.1
        self._tick()

    def _tick(self) -> None:
        """Note the messages whose moment has come, hand them out, sleep until the next."""
        now = self._loop.time()
        while self._left and self._next <= now:
            self._due.append(self._next)
            self._next += 1 / self._rate
            self._left -= 1
        self._match()
        if self._left:
            self._loop.call_at(self._next, self._tick)

    def _match(self) -> None:
        while self._due and self._ready:
            self._ready.popleft().send(self._due.popleft())

    def ready(self, client: "Client") -> None:
        self._ready.append(client)
        if self._due:
            self._match()

    def accepted(self, moment: float) -> None:
        self.waits.append(self._loop.time() - moment)
        self._open -= 1
        if not self._open and not self.over.done():
            self.over.set_result(None)

    def failed(self, why: str) -> None:
        if not self.over.done():
            self.over.set_exception(ConnectionError(why))


class Client(asyncio.Protocol):
    """A connection that keeps itself at the point where only the message is missing."""

    def __init__(self, pacer: Pacer) -> None:
        self._pacer = pacer
        self._moment = 0.0
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._stage = -2  # the greeting, EHLO, the steps of an envelope, the message

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\n")) >= 0:
            line, self._buffer = self._buffer[: end + 1], self._buffer[end + 1 :]
            if line[3:4] != b"-":
                self._reply(line)

    def _reply(self, line: bytes) -> None:
        if line[:1] not in b"23":
            self._pacer.failed(line.decode(errors="replace"))
            return
        self._stage += 1
        if self._stage == -1:
            self._say(b"EHLO client.bench.example\r\n")
        elif self._stage < len(ENVELOPE):
            self._say(ENVELOPE[self._stage].encode())
        elif self._stage == len(ENVELOPE):
            self._pacer.ready(self)
        else:
            moment, self._stage = self._moment, 0
            self._say(ENVELOPE[0].encode())
            self._pacer.accepted(moment)

    def _say(self, data: bytes) -> None:
        self._transport.write(data)  # type: ignore[attr-defined]

    def send(self, moment: float) -> None:
        self._moment = moment
        self._say(self._pacer.data)

    def connection_lost(self, error: Exception | None) -> None:
        self._pacer.failed(f"the connection ended: {error}")

    def close(self) -> None:
        self._transport.abort()  # type: ignore[attr-defined]


async def _paced(port: int, size: int, rate: float, seconds: float) -> Waits:
    loop = asyncio.get_running_loop()
    pacer = Pacer(content(size), rate, max(1, int(rate * seconds)))
    clients = []
    for _ in range(CONNECTIONS):
        _, client = await loop.create_connection(lambda: Client(pacer), "127.0.0.1", port)
        clients.append(client)
    await asyncio.sleep(0.5)
    gc.disable()
    try:
        pacer.start()
        await asyncio.wait_for(pacer.over, seconds * 5 + 60)
    finally:
        gc.enable()
        for client in clients:
            client.close()
    waits = sorted(wait * 1000 for wait in pacer.waits)
    return Waits(rate, len(waits), quantile(waits, 0.5), quantile(waits, 0.99), waits[-1])


def paced(port: int, size: int, rate: float, seconds: float) -> Waits:
    """Send ``rate`` messages a second for some seconds; return how long they waited for their 250."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_paced(port, size, rate, seconds))
