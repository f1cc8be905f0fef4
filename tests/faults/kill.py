"""Kill a server with SIGKILL at random moments under load, and count what became of the mail.

Usage: python tests/faults/kill.py [--kills 30] [--workers 2] [--seed N]

Everything that was acknowledged must be delivered, bounced with a notice, or still queued.  A message
may come twice: its delivery had ended, and the server died before it could write that down.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import time
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from faults.load import Ledger, Load, far_end
from peers.harness import Postroad, a_place, until

_MAIN = """\
relayhost = [127.0.0.1]:{sink}
minimal_backoff_time = 1s
maximal_backoff_time = 1s
queue_run_delay = 1s
queue_journal_size = 1048576
"""
_DRAIN = 60.0  # seconds
#: What is killed: the whole server three times out of six, else one kind of process.
VICTIMS = ("all", "worker", "all", "supervisor", "all", "helper")


def run(place: Path, *, kills: int, workers: int = 2, seed: int = 0, clients: int = 8) -> Ledger:
    """Kill so many times, then let the queue run empty; returns the books."""
    chance = random.Random(seed)
    with far_end(chance) as sink:
        server = Postroad(place, main=_MAIN.format(sink=sink.port), workers=workers)
        starts = 1
        with server:
            with Load((server.host, server.port), clients=clients) as load:
                for number in range(kills):
                    victim = VICTIMS[number % len(VICTIMS)]
                    if victim != "all" or chance.random() < 0.8:  # else it may be killed while it starts
                        _serves(server, starts)
                    time.sleep(chance.uniform(0.2, 1.2))
                    before = len(load.acknowledged)
                    starts += kill(server, victim)
                    print(f"kill {number + 1}: {victim}, {before} acknowledged so far", flush=True)  # noqa: T201
                _serves(server, starts)
                time.sleep(0.3)
            until(
                lambda: not server.queue(),
                max(_DRAIN, 12.0 * kills),
                lambda: f"{len(server.queue())} still queued",
                0.3,
            )
            ledger = Ledger(load.acknowledged)
            ledger.look(server, sink)
    return ledger


def _serves(server: Postroad, starts: int) -> None:
    """Wait until it is ready: its sockets listen before its workers are."""
    server.wait_log("daemon started", starts, 20)


def kill(server: Postroad, victim: str) -> int:
    """Kill the victim, and have the server run again; returns how often it was started."""
    if victim in ("worker", "helper"):
        _kill_one(server, {"worker": "postroad.app.worker", "helper": "mailbox.helper"}[victim], victim)
        return 0
    if victim == "supervisor":
        os.kill(server.pid, signal.SIGKILL)
        until(lambda: not server.pids("postroad.app.worker"), 30, lambda: "workers live on without a master")
    server.kill9()
    server.start()
    return 1


def _kill_one(server: Postroad, word: str, name: str) -> None:
    old = server.pids(word)
    if old:  # a server that is not root has no helper
        os.kill(old[0], signal.SIGKILL)
        until(lambda: set(server.pids(word)) - set(old), 30, lambda: f"no new {name}")


def main() -> int:
    """Run from the command line; the exit status is 1 when something was lost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 100000)
    given = parser.parse_args()
    print(f"seed {given.seed}")  # noqa: T201
    with a_place() as place:
        ledger = run(place, kills=given.kills, workers=given.workers, seed=given.seed)
    print(ledger)  # noqa: T201
    for identity in ledger.lost:
        print(f"lost: {identity} to {ledger.acknowledged[identity]}")  # noqa: T201
    return 1 if ledger.lost or ledger.damaged or ledger.wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
