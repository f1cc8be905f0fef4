"""What delivery to Maildirs costs: CPU and wall time a message, in the worker and in the helper.

    benchmarks/maildir.py [--directory DIR] [--window 20] [--mailboxes 1] [--size 10240] [MESSAGES]

DIR should be on a journalled file system on a real disk.  It starts the privileged helper, so it has
to be root.  The window is how many deliveries are under way at a time, as the scheduler keeps them.
"""

import argparse
import asyncio
import cProfile
import os
import pstats
import resource
import shutil
import subprocess
import sys
import tempfile
import time

from postroad.base.clock import SystemClock
from postroad.base.log import ListSink, Log
from postroad.base.params import settings_of
from postroad.delivery.mailbox import params, wire
from postroad.delivery.mailbox.direct import DirectWriter, Writers
from postroad.delivery.mailbox.remote import HelperWriter
from postroad.delivery.mailbox.virtual import VirtualAgent
from postroad.model import params as model
from postroad.model.job import Job
from postroad.model.message import Message, Recipient, Text
from postroad.tables.context import TableContext

OWNER = 5000  # no user has to have the number
LINE = b"x" * 76 + b"\r\n"

try:
    import uvloop

    runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
except ImportError:
    runner = asyncio.Runner()


class Load:
    """Keeps a window of deliveries open until all are made."""

    def __init__(self, agent, options):
        self.agent = agent
        self.content = Text((LINE * (options.size // len(LINE) + 1))[: options.size - 2] + b"\r\n")
        self.addresses = [f"user{n}@box.example" for n in range(options.mailboxes)]
        self.left = self.open = options.messages
        self.over = asyncio.get_running_loop().create_future()

    def begin(self):
        if self.left:
            self.left -= 1
            recipient = Recipient(self.addresses[self.left % len(self.addresses)])
            message = Message(0xABC, "alice@example.org", [recipient], 0.0, self.content)
            self.agent.deliver(Job(message, [recipient], "virtual", "box.example", self.content), self.ended)

    def ended(self, job):
        outcome = job.outcomes[0]
        assert outcome.status == "2.0.0", outcome
        self.open -= 1
        if not self.open:
            self.over.set_result(None)
        self.begin()


def start_helper(directory):
    ours, theirs = wire.pair()
    program = [sys.executable, "-m", "postroad.delivery.mailbox.helper"]
    words = [*program, str(theirs.fileno()), "100", directory]
    process = subprocess.Popen(words, pass_fds=[theirs.fileno()])
    theirs.close()
    return process, ours


def settings(directory, mailboxes):
    users = " ".join(f"{{user{n}@box.example = box.example/user{n}/}}" for n in range(mailboxes))
    return settings_of(
        [model.params, params.params],
        virtual_mailbox_base=directory,
        virtual_mailbox_maps=f"inline:{{{users}}}",
        virtual_uid_maps=f"static:{OWNER}",
        virtual_gid_maps=f"static:{OWNER}",
        syslog_name="postfix",
    )


async def deliver(directory, options):
    process, end = start_helper(directory)
    loop, clock, log = asyncio.get_running_loop(), SystemClock(), Log(ListSink())
    writers = Writers(DirectWriter(clock), HelperWriter(end, loop))
    facts = settings(directory, options.mailboxes)
    agent = VirtualAgent(
        facts, transport="virtual", writer=writers, tables=TableContext(), log=log, clock=clock
    )
    warm = argparse.Namespace(**vars(options) | {"messages": 2 * options.mailboxes})
    for each in (warm, options):
        load = Load(agent, each)
        cpu, wall = time.process_time(), time.perf_counter()
        for _ in range(options.window):
            load.begin()
        await load.over
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    await writers.close()
    process.wait()
    return cpu, wall


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("messages", nargs="?", type=int, default=10000)
    parser.add_argument("--directory")
    parser.add_argument("--window", type=int, default=20)
    parser.add_argument("--mailboxes", type=int, default=1)
    parser.add_argument("--size", type=int, default=10240)
    parser.add_argument("--profile", action="store_true", help="where the worker's time goes")
    options = parser.parse_args()
    directory = tempfile.mkdtemp(dir=options.directory)
    os.chown(directory, OWNER, OWNER)
    profile = cProfile.Profile(builtins=True)
    try:
        if options.profile:
            profile.enable()
        cpu, wall = runner.run(deliver(directory, options))
        profile.disable()
    finally:
        shutil.rmtree(directory)
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    theirs = usage.ru_utime + usage.ru_stime
    each = 1e6 / options.messages
    print(
        f"{options.messages / wall:6.0f} messages/s  CPU a message: worker {cpu * each:.0f} us, "
        f"helper and writer {theirs * each:.0f} us (with their start)"
    )
    if options.profile:
        pstats.Stats(profile).sort_stats("tottime").print_stats(25)


if __name__ == "__main__":
    main()
