"""What the queue costs: CPU and wall time a message, accept and done together.

    benchmarks/store.py [--directory DIR] [--batch 20] [--size 10240] [--messages 4000] [--profile]

DIR should be on a journalled file system on a real disk.  "sqlite" is the same statements without
anything of ours around them: the difference is what Postroad adds.
"""

import argparse
import asyncio
import cProfile
import os
import pstats
import shutil
import tempfile
import time
from pathlib import Path

from postroad.base.clock import SystemClock
from postroad.base.ids import QueueIds
from postroad.base.log import Log, Sink
from postroad.model.message import Message, Recipient, Text
from postroad.model.queue import Settlement
from postroad.store.change import Change
from postroad.store.envelope import pack
from postroad.store.shard import Shard
from postroad.store.sqlite import SqliteStore

try:
    import uvloop

    runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
except ImportError:
    runner = asyncio.Runner()


def make(ids, content):
    message = Message(
        ids.next_key(), "alice@example.org", [Recipient("bob@example.net")], SystemClock.now(), content
    )
    message.attributes = {"log_client_name": "mx.example.org", "log_client_address": "192.0.2.1"}
    return message


class Load:
    """``batch`` messages are always on their way: each is done as soon as it was accepted."""

    def __init__(self, store, options):
        self.store = store
        self.left = self.finished = options.messages
        self.ids = QueueIds(SystemClock())
        self.content = Text(b"x" * options.size)
        self.over = asyncio.get_running_loop().create_future()

    def begin(self):
        if self.left:
            self.left -= 1
            message = make(self.ids, self.content)
            self.store.accept(message, lambda error: self.accepted(message, error))

    def accepted(self, message, error):
        assert error is None, error
        message.recipients[0].done = True
        self.store.settle(Settlement(message, 0.0), self.settled)
        self.begin()

    def settled(self, error):
        assert error is None, error
        self.finished -= 1
        if self.finished == 0:
            self.over.set_result(None)


async def through_store(directory, options):
    store = SqliteStore(directory, clock=SystemClock(), log=Log(Sink()))
    load = Load(store, options)
    cpu, wall = time.process_time(), time.perf_counter()
    for _ in range(options.batch):
        load.begin()
    await load.over
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    batches = store.transactions
    await store.close()
    return cpu, wall, options.messages / batches


def bare(directory, options):
    """The statements alone, in batches of the same size."""
    shard, ids, content = Shard(Path(directory)), QueueIds(SystemClock()), Text(b"x" * options.size)
    batches, before = [], []
    for _ in range(0, options.messages, options.batch):
        batch = []
        for _ in range(options.batch):
            change = Change(print)
            message = make(ids, content)
            change.row = (message.key, 0.0, "owner", 0, pack(message))
            change.carry(content.data)
            batch.append(change)
        batches.append(batch)
    cpu, wall = time.process_time(), time.perf_counter()
    for batch in batches:
        keys = [change.row[0] for change in batch]
        for change, key in zip(batch, before, strict=False):
            change.done = key
        shard.write(batch)
        before = keys
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    shard.close()
    return cpu, wall, options.batch


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--directory", default="")
    parser.add_argument("--batch", type=int, default=20)
    parser.add_argument("--size", type=int, default=10240)
    parser.add_argument("--messages", type=int, default=4000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    base = tempfile.mkdtemp(dir=options.directory or None)
    with runner:
        for number in range(options.rounds):
            for name, measured in (("store", lambda path: runner.run(through_store(path, options))),):
                path = os.path.join(base, f"{name}-{number}")
                profile = cProfile.Profile()
                if options.profile:
                    profile.enable()
                cpu, wall, batch = measured(path)
                profile.disable()
                each = 1e6 / options.messages
                print(f"{name:8} {cpu * each:7.1f} us CPU {wall * each:7.1f} us wall, batches of {batch:.1f}")
                if options.profile:
                    pstats.Stats(profile).sort_stats("tottime").print_stats(12)
    shutil.rmtree(base)


if __name__ == "__main__":
    main()
