"""What every test of the store needs: a clock, a log, messages, and the stores under one contract."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from postroad.base.clock import TestClock
from postroad.base.ids import QueueIds
from postroad.base.log import ListSink, Log
from postroad.model.message import Message, Recipient, Text
from postroad.model.ports import Settlement
from postroad.store.memory import MemoryStore
from postroad.store.sqlite import SqliteStore

TEXT = b"Subject: test\r\n\r\nbody\r\n"


@pytest.fixture
def clock() -> TestClock:
    return TestClock()


@pytest.fixture
def sink() -> ListSink:
    return ListSink()


@pytest.fixture
def log(sink: ListSink) -> Log:
    return Log(sink)


@pytest.fixture
def new(clock: TestClock) -> Callable[..., Message]:
    ids = QueueIds(clock)

    def make(*addresses: str, sender: str = "alice@example.org", text: bytes = TEXT) -> Message:
        recipients = [Recipient(address) for address in addresses or ("bob@example.net",)]
        return Message(ids.next_key(), sender, recipients, clock.now(), Text(text))

    return make


class Bench:
    """A store, with its verbs as coroutines, that can be left as a dead process leaves it."""

    def __init__(self, make: Callable[[], object]) -> None:
        self._make = make
        self.store = make()

    async def accept(self, message: Message) -> Message:
        future = asyncio.get_running_loop().create_future()
        self.store.accept(message, lambda error: end(future, error))
        await future
        return message

    async def settle(self, message: Message, due: float = 0.0, notices=()) -> None:
        future = asyncio.get_running_loop().create_future()
        self.store.settle(Settlement(message, due, notices), lambda error: end(future, error))
        await future

    async def finish(self, message: Message, notices=()) -> None:
        for recipient in message.recipients:
            recipient.done = True
        await self.settle(message, notices=notices)

    async def reopen(self) -> None:
        """Stop in order and start again."""
        await self.store.close()
        self.store = self._make()

    async def crash(self) -> None:
        """Leave without returning the leases, and start again."""
        if isinstance(self.store, SqliteStore):
            await self.store._writer.close()
            self.store._reader.close()
            self.store._shard.close()
        self.store = self._make()


def end(future: asyncio.Future[None], error: BaseException | None) -> None:
    if error is None:
        future.set_result(None)
    else:
        future.set_exception(error)


def memory(clock, log, path) -> Callable[[], object]:
    rows: dict = {}
    names = iter("abcdefghij")
    return lambda: MemoryStore(clock, rows, owner=next(names))


def sqlite(clock, log, path) -> Callable[[], object]:
    return lambda: SqliteStore(path / "shard-0", clock=clock, log=log, pause=0.02)


BACKENDS = {"memory": memory, "sqlite": sqlite}


@pytest.fixture(params=BACKENDS)
async def bench(request, clock, log, tmp_path) -> AsyncIterator[Bench]:
    """The bench of each implementation in turn."""
    made = Bench(BACKENDS[request.param](clock, log, tmp_path))
    yield made
    await made.store.close()


@pytest.fixture
async def sqlite_bench(clock, log, tmp_path) -> AsyncIterator[Bench]:
    made = Bench(sqlite(clock, log, tmp_path))
    yield made
    await made.store.close()


Accept = Callable[[Message], Awaitable[Message]]
