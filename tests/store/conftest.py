"""What every test of the store needs: a clock, a log, messages, and the stores under one contract."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from postroad.base.clock import TestClock
from postroad.base.ids import QueueIds
from postroad.base.log import ListSink, Log
from postroad.model.message import Message, Recipient, Text
from postroad.model.queue import Settlement
from postroad.store.change import Change
from postroad.store.envelope import pack
from postroad.store.memory import MemoryStore
from postroad.store.shard import Shard
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
        """Leave as a process that is killed, and start again."""
        if isinstance(self.store, SqliteStore):
            await self.store._writer.close()
            directory = self.store._shard.directory
            shutil.copytree(directory, directory.with_name("crashed"))
            self.store._reader.close()
            leave(self.store._shard)
            shutil.rmtree(directory)
            directory.with_name("crashed").rename(directory)
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


# --- the shard below the stores


@pytest.fixture
def shard(tmp_path):
    made = Shard(tmp_path / "shard-0")
    yield made
    made.close()


def queued(shard, message, *, owner="", held=0, file=False):
    change = Change(print, message.key)
    change.row = (message.key, message.due, owner, held, pack(message))
    if file:
        spool = shard.bodies.spool(message.key)
        spool.write(message.content.data)
        spool.finish()
    else:
        change.carry(message.content.data)
    return change


def leave(open_shard: Shard) -> None:
    """Let go of a shard's files as the kernel does when a process dies."""
    open_shard._journal.close()
    open_shard.backlog.db.close()
    open_shard._lock.close()


Accept = Callable[[Message], Awaitable[Message]]
