"""The mailbox helpers: one beside each worker, another when one has died or has other bounds."""

import asyncio
import os
import signal
import socket

import pytest

from app.texts import config_of
from patience import until
from postroad.app import helpers as module
from postroad.app.helpers import MailboxHelper
from postroad.base.log import ListSink, Log


class World:
    def __init__(self, base):
        self.base = base
        self.sink = ListSink()
        self.ends = {}  # the workers', by number
        self.former = []
        self.helper = MailboxHelper(self.config("100"), Log(self.sink), self.take)

    def config(self, minimum):
        master = "virtual unix - n n - - virtual\n"
        return config_of(f"virtual_mailbox_base = {self.base}\nvirtual_minimum_uid = {minimum}\n", master)

    def take(self, number, fd):
        if number in self.ends:
            self.former.append(self.ends[number])
        self.ends[number] = socket.socket(fileno=os.dup(fd))

    def start(self, number=0):
        self.take(number, self.helper.start(number))

    def pid(self, number=0):
        return self.helper._processes[number].pid

    def end(self):
        for each in (*self.ends.values(), *self.former):
            each.close()
        self.helper.stop()


@pytest.fixture
async def world(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_LOOK_EVERY", 0.02)
    made = World(tmp_path)
    yield made
    made.end()


def runs(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_each_worker_has_its_own(world):
    world.start(0)
    world.start(1)
    assert world.pid(0) != world.pid(1)


async def test_one_that_died_is_replaced_and_the_log_says_so(world):
    world.start()
    first = world.pid()
    os.kill(first, signal.SIGKILL)
    await until(lambda: world.pid() != first)
    assert len(world.former) == 1
    assert world.sink.lines == [f"master: warning: mailbox helper pid {first} ended; another takes its place"]


async def test_other_bounds_mean_another_helper_and_the_old_one_goes_when_its_worker_lets_it(world):
    world.start()
    first = world.pid()
    world.helper.configure(world.config("100"))
    assert world.pid() == first  # nothing changed
    world.helper.configure(world.config("200"))
    assert world.pid() != first
    await asyncio.sleep(0.1)
    assert runs(first)  # its worker may wait for an answer of it
    world.former[0].close()
    await until(lambda: not runs(first))
    assert world.sink.lines == []


async def test_a_worker_that_lost_its_helper_gets_another_without_an_alarm(world):
    world.start()
    first = world.pid()
    await asyncio.sleep(0.05)
    world.ends[0].close()
    await until(lambda: world.pid() != first)
    assert world.sink.lines == []


async def test_they_end_with_their_workers(world):
    world.start(0)
    world.start(1)
    pids = [world.pid(0), world.pid(1)]
    for end in world.ends.values():
        end.close()
    world.helper.stop()
    assert not any(map(runs, pids))


async def test_after_the_stop_none_is_started(world):
    world.start()
    world.ends[0].close()
    world.helper.stop()
    world.helper.configure(world.config("300"))
    assert not world.helper._processes


async def test_nothing_is_imported_from_the_working_directory(world, tmp_path, monkeypatch):
    (tmp_path / "msgspec.py").write_text(f"open({str(tmp_path / 'imported')!r}, 'w')")
    monkeypatch.chdir(tmp_path)
    world.start()
    await asyncio.sleep(0.1)
    world.ends[0].close()
    world.helper.stop()
    assert not (tmp_path / "imported").exists()
