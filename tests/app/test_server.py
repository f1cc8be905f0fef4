"""The life of one worker's server, in this process."""

import asyncio
import os
import socket

import pytest

from app.texts import MAIN, MASTER
from peers.harness import free_port
from postroad.app.server import Server
from postroad.base.errors import ConfigurationError, PostroadError
from postroad.base.ids import id_of
from postroad.model.message import Message, Recipient, Text
from postroad.net.counts import make_table
from postroad.store.change import Change
from postroad.store.envelope import pack
from postroad.store.lock import ShardLock
from postroad.store.shard import Shard


class World:
    """What the supervisor would give to a worker, and a sender's view of it."""

    def __init__(self, place):
        self.place = place
        self.port = free_port()
        self.queue = place / "queue"
        self.queue.mkdir()
        self.listener = socket.create_server(("127.0.0.1", self.port), reuse_port=True)
        self.submit = socket.socket(socket.AF_UNIX)
        self.submit.bind(str(place / "submit"))
        self.submit.listen()
        self.counts = make_table(1)
        self.server = None

    def message(self, main="", master=""):
        texts = (
            f"queue_directory = {self.queue}\nmaillog_file = {self.place}/log\nminimal_backoff_time = 1h\n"
        )
        return {
            "worker": 0, "workers": 1, "helper": False, "directory": str(self.place),
            "main": MAIN + texts + main, "master": MASTER.format(port=self.port) + master,
            "listeners": [{"service": f"{self.port}/inet"}],
        }  # fmt: skip

    def fds(self):
        return [os.dup(self.listener.fileno())]

    async def start(self, main=""):
        self.server = Server(
            self.message(main), [*self.fds(), os.dup(self.submit.fileno()), os.dup(self.counts)]
        )
        await self.server.start()

    async def reload(self, main="", master=""):
        return await self.server.request({"verb": "reload"} | self.message(main, master), self.fds())

    async def greeting(self):
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        line = await reader.readline()
        writer.close()
        return line

    async def queued(self):
        return [message.key for message in await self.server._core.store.find()]

    def leave(self, shard, *keys, held=0):
        """Put messages into a shard that nobody serves."""
        store = Shard(self.queue / shard)
        changes = []
        for key in keys:
            message = Message(
                key, "s@x.example", [Recipient("r@y.example")], 1.0, Text(b"Subject: x\r\n\r\nx\r\n")
            )
            change = Change(lambda _error: None)
            change.row = (key, 1.0, "", held, pack(message))
            change.carry(message.content.data)
            changes.append(change)
        store.write(changes)
        store.close()

    def log(self):
        self.server.log.sink.flush()
        return (self.place / "log").read_text()


@pytest.fixture
async def world(tmp_path):
    made = World(tmp_path)
    yield made
    if made.server is not None:
        await made.server.stop(1)
        asyncio.get_running_loop().set_exception_handler(None)
    made.listener.close()
    made.submit.close()
    os.close(made.counts)


async def until(holds):
    for _ in range(200):
        if holds():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not come")


async def test_it_serves_and_after_its_stop_it_does_not(world):
    await world.start("smtpd_banner = here\n")
    assert await world.greeting() == b"220 here\r\n"
    await world.server.stop(1)
    ShardLock(world.queue / "shard-0").close()  # nobody has it
    world.server = None


async def test_new_settings_are_in_force_after_a_reload(world):
    await world.start("smtpd_banner = one\n")
    assert await world.reload("smtpd_banner = two\n") == {}
    assert await world.greeting() == b"220 two\r\n"


async def test_settings_that_cannot_be_used_change_nothing_and_leak_no_socket(world):
    await world.start("smtpd_banner = one\n")
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(ConfigurationError):
        await world.reload("smtpd_timeout = soon\n")
    assert len(os.listdir("/proc/self/fd")) == before
    assert await world.greeting() == b"220 one\r\n"


async def test_reloads_do_not_gather_descriptors(world):
    await world.start()
    await world.reload()
    await asyncio.sleep(0.05)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        await world.reload()
    await asyncio.sleep(0.05)
    assert len(os.listdir("/proc/self/fd")) <= before


async def test_a_session_of_former_settings_goes_on_and_ends_with_the_server(world):
    await world.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
    await reader.readline()
    await world.reload()
    writer.write(b"NOOP\r\n")
    assert (await reader.readline()).startswith(b"250 ")
    await world.server.stop(2)
    assert (await reader.readline()).startswith(b"421 ")
    writer.close()
    with pytest.raises(PostroadError, match="the server stops"):
        await world.reload()
    world.server = None


async def test_shards_that_no_worker_owns_are_adopted_and_one_in_use_is_left(world):
    world.leave("shard-1", 7)
    world.leave("shard-2", 8)
    busy = ShardLock(world.queue / "shard-2")
    await world.start("defer_transports = smtp\n")
    assert await world.queued() == [7]
    assert not (world.queue / "shard-1").exists()
    assert "shard-2: cannot be taken over" in world.log()
    busy.close()


async def test_a_shard_that_a_dying_worker_still_has_is_waited_for(world):
    world.leave("shard-0")
    busy = ShardLock(world.queue / "shard-0")
    starting = asyncio.ensure_future(world.start())
    await asyncio.sleep(0.15)
    assert not starting.done()
    busy.close()
    await starting
    assert (await world.greeting()).startswith(b"220 ")


async def test_what_is_deleted_or_held_while_it_waits_is_not_delivered(world):
    world.leave("shard-0", 1, 2, 3, 4)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts, and never greets
        await world.start(
            f"default_transport = smtp:[127.0.0.1]:{silent.getsockname()[1]}\n"
            "smtp_destination_concurrency_limit = 1\n"
        )
        scheduler = world.server._core.scheduler
        await until(lambda: len(scheduler) == 4)
        answer = await world.server.request({"verb": "delete", "ids": [id_of(2)]}, [])
        assert answer == {"changed": [id_of(2)]}
        await world.server.request({"verb": "hold", "ids": [id_of(3)]}, [])
        await until(lambda: len(scheduler) == 2)
        assert sorted(await world.queued()) == [1, 3, 4]
        [held] = list(await world.server._core.store.find([3]))
        assert held.held
        await world.server.stop(0.05)
        world.server = None


async def test_the_log_is_opened_again_and_a_failure_is_no_end(world):
    await world.start()
    (world.place / "log").rename(world.place / "log.1")
    world.server.reopen_log()
    assert (world.place / "log").exists()
    world.server.log.sink._path = str(world.place / "no/such/log")
    world.server.reopen_log()
    assert "the log file cannot be opened again" in (world.place / "log").read_text()


async def test_what_no_code_caught_is_logged_with_its_place(world):
    await world.start()
    asyncio.get_running_loop().call_soon(iter, 7)
    await asyncio.sleep(0.01)
    assert "unexpected: Exception in callback" in world.log()
    assert "TypeError" in world.log()
