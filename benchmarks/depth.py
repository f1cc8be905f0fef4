"""A queue that holds much deferred mail already: its filling, and what is measured beside the load."""

import subprocess
import time
from pathlib import Path

from benchmarks import load, measure
from benchmarks.peers.peer import Peer, Plan
from benchmarks.scenarios import KIB, Cell
from benchmarks.server import Server

FILLING = Cell("filling", "depth", mode="accept", size=KIB)
FIRST_LINES = 5


def fill(peer: Peer, messages: int) -> float:
    """Let the server itself accept and defer messages, not due for hours; return the seconds it took."""
    began = time.monotonic()
    with Server(peer, Plan(mode="accept", patient=True)) as server:
        if messages:
            load.send(server, FILLING, None, messages, limit=600 + messages / 200)
            measure.wait_until_quiet(server.account, limit=600 + messages / 200)
    return time.monotonic() - began


def listing(peer: Peer, limit: float = 60.0) -> float | None:
    """Return the seconds until ``postqueue -p | head -n 5`` has printed its lines."""
    command = peer.listing()
    if not command:
        return None
    began = time.monotonic()
    shell = subprocess.run(
        ["/bin/sh", "-c", f'"$@" | head -n {FIRST_LINES}', "sh", *command],
        capture_output=True,
        text=True,
        timeout=limit,
        check=False,
    )
    seconds = time.monotonic() - began
    if not shell.stdout.strip():
        raise load.RunError(f"the queue was not listed: {shell.stderr.strip()[-200:]}")
    return seconds


def used(path: Path) -> int:
    """Return the bytes on disk below a directory."""
    done = subprocess.run(["du", "-s", "-B1", str(path)], capture_output=True, text=True, check=False)
    return int(done.stdout.split()[0]) if done.returncode == 0 else 0
