"""Accepted means on disk: after a kill, in what order, and when the disk is full."""

import asyncio
import errno
import os
import signal
import subprocess
import sys
import time

import apsw
import pytest

from postroad.base.errors import StoreUnavailable
from postroad.store import journal, shard
from postroad.store.sqlite import SqliteStore

CHILD = """
import asyncio, sys
from postroad.base.clock import SystemClock
from postroad.base.ids import QueueIds
from postroad.base.log import Log, Sink
from postroad.model.message import Message, Recipient, Text
from postroad.model.queue import Settlement
from postroad.store.sqlite import SqliteStore

async def main():
    clock = SystemClock()
    store = SqliteStore(sys.argv[1], clock=clock, log=Log(Sink()))
    ids = QueueIds(clock, 0, store.newest)
    def begin(n):
        key = ids.next_key()
        large = n % 5 == 0
        if large:
            spool = store.spool(key)
            spool.write(b"large" * 1000)
        content = spool.finish() if large else Text(b"small")
        message = Message(key, "a@x.test", [Recipient("b@x.test")], clock.now(), content)
        def accepted(error):
            print("A", key, flush=True)
            if n % 3 == 0:
                message.recipients[0].done = True
                print("S", key, flush=True)
                store.settle(Settlement(message, 0), lambda error: print("D", key, flush=True))
            begin(n + 7)
        store.accept(message, accepted)
    for n in range(7):
        begin(n)
    await asyncio.Event().wait()

asyncio.run(main())
"""


async def contents(store):
    return {m.key: b"".join(store.content(m).pieces()) for m in await store.find()}


async def test_what_was_acknowledged_survives_a_kill(tmp_path, clock, log):
    """What was acknowledged as done does not come back."""
    told = {"A": set(), "S": set(), "D": set()}  # accepted, about to be done, done
    for round_ in range(4):
        child = subprocess.Popen([sys.executable, "-c", CHILD, str(tmp_path / "s")], stdout=subprocess.PIPE)
        lines = [child.stdout.readline().rstrip() for _ in range(60 + 40 * round_)]
        time.sleep(0.01 * round_)
        child.send_signal(signal.SIGKILL)
        lines += child.stdout.read().splitlines()
        child.wait()
        for line in lines:
            kind, _, key = line.strip().partition(b" ")
            if key.isdigit() and line.endswith(key):
                told[kind.decode()].add(int(key))
        store = SqliteStore(tmp_path / "s", clock=clock, log=log)
        found = await contents(store)
        await store.close()
        assert not told["A"] - told["S"] - found.keys()
        assert not told["D"] & found.keys()
        assert set(found.values()) <= {b"small", b"large" * 1000}
    assert len(told["A"]) > 50, {kind: len(keys) for kind, keys in told.items()}


@pytest.fixture
def recorded(monkeypatch):
    """A list of what happens to the files of a shard, in order: (what, file's name)."""
    events = []

    def record(name, what):
        plain = getattr(os, name)

        def noted(fd, *values):
            result = plain(fd, *values)
            events.append((what, os.readlink(f"/proc/self/fd/{fd}").rpartition("/")[2]))
            return result

        monkeypatch.setattr(os, name, noted)

    for name, what in (
        ("pwritev", "write"),
        ("pwrite", "write"),
        ("fdatasync", "sync"),
        ("fsync", "sync"),
    ):
        record(name, what)
    return events


def synced(events, before):
    """Whether the journal was synced after its last write before an event."""
    seen = [event for event in events[: events.index(before)] if event[1] == "journal-0"]
    return seen[-1] == ("sync", "journal-0") and ("write", "journal-0") in seen


async def test_the_answer_comes_after_the_sync(recorded, clock, log, tmp_path, new):
    store = SqliteStore(tmp_path / "shard-0", clock=clock, log=log)
    for n in range(3):
        recorded.clear()
        future = asyncio.get_running_loop().create_future()
        store.accept(
            new(), lambda error, n=n, future=future: (recorded.append(("then", n)), future.set_result(error))
        )
        assert await future is None
        assert synced(recorded, ("then", n))
    await store.close()


async def test_a_large_content_is_synced_before_the_commit_that_accepts_it(
    recorded, clock, log, tmp_path, new
):
    store = SqliteStore(tmp_path / "shard-0", clock=clock, log=log)
    message = new()
    spool = store.spool(message.key)
    spool.write(b"x" * 300_000)
    message.content = spool.finish()
    recorded.clear()
    future = asyncio.get_running_loop().create_future()
    store.accept(message, lambda error: (recorded.append(("then", 0)), future.set_result(error)))
    assert await future is None
    names = [event for event in recorded if event[0] != "write"]
    assert (
        names.index(("sync", message.id))
        < names.index(("sync", "bodies"))
        < names.index(("sync", "journal-0"))
    )
    assert synced(recorded, ("then", 0))
    await store.close()


@pytest.fixture
def disk(monkeypatch):
    """A disk: a list of one number, the bytes that are still free."""
    free = [1 << 40]
    plain = os.posix_fallocate

    def allocate(fd, offset, size):
        if size > free[0]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        free[0] -= size
        plain(fd, offset, size)

    monkeypatch.setattr(journal, "_STEP", 65536)
    monkeypatch.setattr(journal, "_SPARE", 4096)
    monkeypatch.setattr(os, "posix_fallocate", allocate)
    return free


async def test_a_full_disk_refuses_mail_and_the_store_works_again_by_itself(sqlite_bench, new, sink, disk):
    bench = sqlite_bench
    kept = [await bench.accept(new(text=b"k" * 10_000)) for _ in range(3)]
    disk[0] = 0
    refused = new(text=b"x" * 40_000)
    with pytest.raises(StoreUnavailable, match="No space"):
        await bench.accept(refused)
    with pytest.raises(LookupError):
        await bench.finish(refused)
    assert [line for line in sink.lines if "queue write error" in line]
    await bench.finish(kept[0])  # leaving needs no room
    disk[0] = 1 << 20
    await bench.accept(refused)
    assert await bench.store.count() == 3
    assert "qmgr: queue writes work again" in sink.lines


async def test_one_message_that_does_not_fit_harms_no_other(sqlite_bench, new, disk):
    bench = sqlite_bench
    await bench.accept(new(text=b"k" * 100_000))
    disk[0] = 70_000
    big, small = [new(text=b"x" * 900_000)], [new(), new(), new()]
    answers = await asyncio.gather(
        *(bench.accept(m) for m in small[:2] + big + small[2:]), return_exceptions=True
    )
    assert [type(answer).__name__ for answer in answers] == [
        "Message",
        "Message",
        "StoreUnavailable",
        "Message",
    ]
    assert await bench.store.count() == 4


async def test_a_settlement_that_cannot_be_written_is_kept_until_it_can(
    sqlite_bench, new, clock, monkeypatch
):
    bench = sqlite_bench
    message = await bench.accept(new())
    written, broken = shard.Shard.write, True

    def failing(self, changes):
        if broken:
            raise apsw.FullError("database or disk is full")
        written(self, changes)

    monkeypatch.setattr(bench.store._writer, "_write", lambda changes: failing(bench.store._shard, changes))
    notice = new(sender="")
    waiting = asyncio.ensure_future(bench.finish(message, notices=[notice]))
    with pytest.raises(StoreUnavailable):
        await bench.accept(new())
    await asyncio.sleep(0.05)
    assert not waiting.done()
    broken = False
    await asyncio.wait_for(waiting, 30)
    assert [m.key for m in await bench.store.find()] == [notice.key]


async def test_closing_with_a_settlement_that_cannot_be_written_loses_nothing(
    sqlite_bench, new, clock, monkeypatch
):
    bench = sqlite_bench
    message = await bench.accept(new())

    def failing(changes):
        raise apsw.IOError("disk I/O error")

    monkeypatch.setattr(bench.store._writer, "_write", failing)
    waiting = asyncio.ensure_future(bench.finish(message))
    await asyncio.sleep(0.01)
    await bench.reopen()
    with pytest.raises(StoreUnavailable):
        await waiting
    assert [m.key for m in await bench.store.claim(now=clock.now(), most=9)] == [message.key]


async def test_a_defect_in_one_callback_does_not_silence_the_others(sqlite_bench, new):
    bench = sqlite_bench
    told = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: told.append(context["exception"]))

    def broken(error):
        raise ZeroDivisionError

    bench.store.accept(new(), broken)
    await bench.accept(new())
    assert [type(error) for error in told] == [ZeroDivisionError]


async def test_messages_that_come_together_share_one_transaction(sqlite_bench, new):
    bench = sqlite_bench
    before = bench.store.transactions
    await asyncio.gather(*(bench.accept(new()) for _ in range(200)))
    assert bench.store.transactions - before <= 2
    assert await bench.store.count() == 200
