"""One worker, joined as ``app.server`` joins it, in a world without sockets and disk."""

from __future__ import annotations

import asyncio
import os
import random
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Sequence
from itertools import chain, repeat
from typing import Any, TypeVar

from postroad.app.build import build
from postroad.app.core import Core
from postroad.app.registry import registry
from postroad.base.config import load_texts
from postroad.base.ids import QueueIds
from postroad.base.log import FileSink, Log
from postroad.base.params import Facts
from postroad.base.wheel import Wheel
from postroad.model.message import Message
from postroad.model.queue import Settlement, Then
from postroad.net.counts import SharedCounts, make_table
from postroad.scheduler.scheduler import Scheduler
from postroad.store.memory import MemoryStore

from .wires import END, Client, Loop, StepClock

T = TypeVar("T")
SESSIONS = 20
_MAIN = """\
compatibility_level = 3.6
myhostname = mx.example.net
mydestination =
alias_maps =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
smtpd_peername_lookup = no
relayhost = [192.0.2.25]
queue_directory = {place}
queue_minfree = 0
message_size_limit = 100000
"""
_MASTER = """\
25 inet n - n - - smtpd
smtp unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
"""
_HEADER = (
    b"Received: from a.example.org (a.example.org [192.0.2.1])\r\n\tby b.example.org (Postfix)"
    b" with ESMTP id 4F1C2B3D4E\r\n\tfor <bob@example.com>; Tue, 14 Nov 2023 22:13:20 +0000 (UTC)\r\n"
    b"From: Alice <alice@example.org>\r\nTo: Bob <bob@example.com>\r\nSubject: One kilobyte\r\n"
    b"Date: Tue, 14 Nov 2023 22:13:20 +0000\r\nMessage-ID: <20231114221320.4F1C2B3D4E@example.org>\r\n"
    b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n"
)
_LINE = b"x" * 70 + b"\r\n"
_CONTENT = _HEADER + _LINE * ((1024 - len(_HEADER)) // len(_LINE))
_GREETING = b"EHLO client.example.org\r\n"
_MESSAGE = (
    b"MAIL FROM:<alice@example.org>\r\n",
    b"RCPT TO:<bob@example.com>\r\n",
    b"DATA\r\n",
    _CONTENT.removesuffix(b"\r\n") + END,
)
_VISIT = (_GREETING, *_MESSAGE, b"QUIT\r\n")


class Store(MemoryStore):
    """Keeps its word at the next turn of the loop, to all who wait together, as the queue on disk does."""

    def __init__(self, clock: Any, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(clock)
        self._loop = loop
        self._told: list[tuple[Then, BaseException | None]] = []
        self.newest = 0
        self.messages: list[Message] = []  # that were accepted while they are kept
        self.keeps = False
        self.settled = 0

    def accept(self, message: Message, then: Then) -> None:
        super().accept(message, lambda error: self._later(then, error))
        if self.keeps:
            self.messages.append(message)

    def settle(self, settlement: Settlement, then: Then) -> None:
        super().settle(settlement, lambda error: self._later(then, error))
        self.settled += 1

    def _later(self, then: Then, error: BaseException | None) -> None:
        if not self._told:
            self._loop.call_soon(self._tell)
        self._told.append((then, error))

    def _tell(self) -> None:
        told, self._told = self._told, []
        for then, error in told:
            then(error)


class Worker:
    """The stages of a worker with Postfix's default settings and a relayhost, and ``main`` behind them."""

    def __init__(self, loop: Loop, clock: StepClock, place: str, main: str = "") -> None:
        self.loop = loop
        self.world = loop.world
        self.place = place
        self.leftovers: list[Callable[[], Awaitable[None]]] = []  # to be closed at the end
        self.store = Store(clock, loop)
        counts = make_table(1)
        self.log = Log(FileSink(os.devnull, "mx.example.net", clock), "postfix", 4711)
        facts = Facts(hostname="mx.example.net", interfaces=("127.0.0.1/8",))
        config = load_texts(_MAIN.format(place=place) + main, _MASTER, place, registry(), facts).require()
        self.core = Core(
            loop=loop,
            clock=clock,
            log=self.log,
            wheel=Wheel(loop),
            store=self.store,  # type: ignore[arg-type]
            ids=QueueIds(clock),
            counts=SharedCounts(counts, 0, 1),
            workers=1,
            rng=random.Random(0),
        )
        os.close(counts)
        self.stages = stages = build(config, self.core)
        (self._service,) = stages.services.values()
        self._scheduler = Scheduler(
            store=self.store,
            router=stages.router,
            transports=stages.transports,
            outcomes=stages.outcomes,
            settings=config.settings,
            log=self.log,
            clock=clock,
        )

    def forwarding(self, wanted: bool) -> None:
        """Deliver what is accepted from now on, or leave it in the queue."""
        self.core.scheduler = self._scheduler if wanted else None

    async def queued(self, messages: int) -> list[Message]:
        """Return messages that were received and not delivered."""
        self.forwarding(False)
        self.store.keeps = True
        await self.receive(messages)
        self.store.keeps = False
        queued, self.store.messages = self.store.messages, []
        return queued

    async def connect(self) -> None:
        """Open the sessions that ``receive`` uses."""
        self._clients = [self._client(iter((_GREETING,))) for _ in range(SESSIONS)]
        await self._heard(self._clients)

    async def receive(self, messages: int) -> None:
        """Take messages over SESSIONS open sessions."""
        each, more = divmod(messages, SESSIONS)
        for number, client in enumerate(self._clients):
            client.say(chain.from_iterable(repeat(_MESSAGE, each + (number < more))))
        await self._heard(self._clients)

    async def visit(self, messages: int) -> None:
        """Take messages, SESSIONS at a time, each over a session of its own."""
        for begin in range(0, messages, SESSIONS):
            number = min(SESSIONS, messages - begin)
            await self._heard([self._client(iter(_VISIT)) for _ in range(number)])

    def _client(self, script: Iterator[bytes]) -> Client:
        return Client(self.world, self._service.protocol(), script)

    async def _heard(self, clients: Sequence[Client]) -> None:
        await self.world.turn_until(lambda: all(client.done for client in clients))
        self.log.sink.flush()

    async def forward(self, messages: list[Message]) -> None:
        """Deliver messages that are in the queue: SESSIONS at a time."""
        store, waiting = self.store, iter(messages)
        settled = store.settled
        begun = 0

        def over() -> bool:
            nonlocal begun
            while begun - (store.settled - settled) < SESSIONS:
                message = next(waiting, None)
                if message is None:
                    return store.settled - settled >= len(messages)
                begun += 1
                self.core.accepted(message)
            return False

        await self.world.turn_until(over)
        self.log.sink.flush()

    async def whole(self, messages: int) -> None:
        """Take messages and deliver them."""
        wanted = self.store.settled + messages
        await self.receive(messages)
        await self.world.turn_until(lambda: self.store.settled >= wanted)
        self.log.sink.flush()


def run(work: Callable[[Worker], Awaitable[T]], main: str = "") -> T:
    """Run ``await work(worker)`` in a world of its own; ``main`` are further lines of main.cf."""
    clock = StepClock()
    loop = Loop(clock)
    try:
        with tempfile.TemporaryDirectory() as place:
            return loop.run_until_complete(_with_worker(loop, clock, place, work, main))
    finally:
        loop.close()


async def _with_worker(loop: Loop, clock: StepClock, place: str, work: Callable[[Worker], Awaitable[T]], main: str) -> T:  # fmt: skip  # noqa: E501
    worker = Worker(loop, clock, place, main)
    try:
        return await work(worker)
    finally:
        for close in (worker.stages.close_agents, *worker.leftovers):
            await close()
        loop.world.hang_up()
        await asyncio.sleep(0)
