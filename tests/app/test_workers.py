"""The supervisor's view of a worker, with programs in a worker's place."""

import asyncio
import signal
import sys

import pytest

from patience import LIMIT, until
from postroad.app import workers as module
from postroad.app.workers import Worker
from postroad.base.log import ListSink, Log

PROGRAM = """
import asyncio, os, socket, sys, time
from postroad.app.channel import Channel
{prelude}
async def main():
    ended = asyncio.Event()
    def received(message, fds):
        match message["do"]:
            case "begin": {begin}
            case "stop": {stop}
            case "request":
                if message["request"]["verb"] == "die": os._exit(3)
                if message["request"]["verb"] != "silence":
                    channel.send({{"re": "answer", "id": message["id"], "answer": {{"pid": os.getpid()}}}})
    channel = Channel(socket.socket(fileno=int(sys.argv[1])), received, ended.set)
    await ended.wait()
asyncio.run(main())
"""
READY = 'channel.send({"re": "ready"})'
FAILED = 'channel.send({"re": "failed", "problems": ["one", "two"]}); ended.set()'


class World:
    def __init__(self, monkeypatch, place):
        self.monkeypatch = monkeypatch
        self.place = place
        self.sink = ListSink()
        self.begun = 0
        self.popen = module.subprocess.Popen
        monkeypatch.setattr(module, "_RESTART_DELAY", 0.05)
        monkeypatch.setattr(module.subprocess, "Popen", self._start)
        self.program()
        self.wished = []
        self.worker = Worker(0, self._begin, Log(self.sink), lambda *wish: self.wished.append(wish))

    def program(self, begin=READY, stop="ended.set()", prelude=""):
        (self.place / "program.py").write_text(PROGRAM.format(begin=begin, stop=stop, prelude=prelude))

    def _start(self, command, **rest):
        assert command[:2] == [sys.executable, "-P"]
        return self.popen([sys.executable, str(self.place / "program.py"), command[-1]], **rest)

    def _begin(self, number):
        self.begun += 1
        return {"do": "begin", "worker": number}, []


@pytest.fixture
async def world(monkeypatch, tmp_path):
    made = World(monkeypatch, tmp_path)
    yield made
    made.worker.kill()


async def test_what_its_clients_want_flushed_is_passed_on(world):
    world.program(begin=READY + '; channel.send({"re": "flush", "sites": ["a.example", "b.example"]})')
    world.worker.start()
    await until(lambda: world.wished)
    assert world.wished == [(0, ["a.example", "b.example"])]


async def test_a_worker_begins_and_says_when_it_serves(world):
    world.worker.start()
    assert await world.worker.ready == []
    assert await world.worker.ask({"verb": "x"}) == {"pid": world.worker.pid}


async def test_what_keeps_it_from_serving_is_known(world):
    world.program(begin=FAILED)
    world.worker.start()
    assert await world.worker.ready == ["one", "two"]


async def test_one_that_ends_before_it_serves_is_not_started_again_and_again(world):
    world.program(prelude="sys.exit(5)")
    world.worker.start()
    assert await world.worker.ready == ["worker 0 ended with status 5 before it was ready"]
    await asyncio.sleep(0.15)
    assert world.begun == 1


async def test_one_that_dies_is_replaced_and_the_log_says_how(world):
    world.worker.start()
    await world.worker.ready
    first = world.worker.pid
    assert await world.worker.ask({"verb": "die"}) == {"error": "worker 0 has ended"}
    await until(lambda: world.worker.pid != first)
    assert world.sink.lines == [f"master: warning: process worker 0 pid {first} exit status 3"]
    assert (await world.worker.ask({"verb": "x"}))["pid"] == world.worker.pid


async def test_between_death_and_replacement_nobody_waits_for_an_answer(world):
    world.worker.start()
    await world.worker.ready
    await world.worker.ask({"verb": "die"})
    assert "another takes its place" in (await world.worker.ask({"verb": "x"}, seconds=5))["error"]


async def test_what_keeps_a_replacement_from_serving_is_in_the_log(world):
    world.worker.start()
    await world.worker.ready
    world.program(begin=FAILED)
    await world.worker.ask({"verb": "die"})
    await until(lambda: "master: error: worker 0: two" in world.sink.lines)
    world.program()
    await until(lambda: world.worker._channel.open)


async def test_a_replacement_that_cannot_be_started_is_tried_again(world):
    world.worker.start()
    await world.worker.ready
    good, first = world._start, world.worker.pid

    def no_memory(*_args, **_rest):
        world.monkeypatch.setattr(module.subprocess, "Popen", good)
        raise OSError(12, "Cannot allocate memory")

    world.monkeypatch.setattr(module.subprocess, "Popen", no_memory)
    await world.worker.ask({"verb": "die"})
    await until(lambda: world.worker.pid != first)
    assert any("cannot be started" in line for line in world.sink.lines)


async def test_one_that_does_not_answer_is_named_and_can_be_replaced(world):
    world.worker.start()
    await world.worker.ready
    first = world.worker.pid
    answer = await world.worker.ask({"verb": "silence"}, seconds=0.05)
    assert answer == {"error": f"worker 0 (pid {first}) does not answer"}
    world.worker.replace()
    await until(lambda: world.worker.pid != first)
    assert world.sink.lines == [f"master: warning: process worker 0 pid {first} killed by signal 9"]


async def test_a_stop_lets_it_end_by_itself(world):
    world.worker.start()
    await world.worker.ready
    await world.worker.stop(LIMIT)
    assert world.worker._process.returncode == 0


async def test_one_that_does_not_stop_is_killed(world, monkeypatch):
    world.program(stop="time.sleep(30)")
    world.worker.start()
    await world.worker.ready
    await world.worker.stop(-4.9)
    assert world.worker._process.returncode == -signal.SIGKILL
