"""One measured run: smtp-source sends, and the server is watched until all has left and it is quiet."""

import contextlib
import os
import resource
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import measure
from benchmarks.peers.peer import RECIPIENT, SENDER, TLS_PORTS, Peer, program
from benchmarks.scenarios import Cell
from benchmarks.server import Server
from benchmarks.sink import Sink
from benchmarks.tunnel import Tunnel

LIMIT = 180.0


class RunError(Exception):
    """A run did not come to its end."""


@dataclass(frozen=True)
class Figures:
    """What a run gave: ``rate`` until the last message has arrived, ``accepted`` until the last 250."""

    messages: int
    rate: float
    accepted: float
    cpu_ms: float  # a message, of the server and all it started, until it was quiet
    memory: int  # bytes, the peak of the proportional set sizes
    resident: int  # bytes, the peak of the sum of the resident set sizes: shared pages count for each process
    processes: int
    flushes: float | None  # of the device, a message
    others: float  # share of the machine that was neither the server nor the load generator nor the sink


def source(peer: Peer, cell: Cell, messages: int) -> subprocess.Popen[bytes]:
    command = [str(program("smtp-source")), "-4", "-C", "30", "-M", "client.bench.example", "-f", SENDER]
    command += ["-t", RECIPIENT, "-l", str(cell.size), "-s", str(min(cell.sessions, messages))]
    command += ["-m", str(messages)] + (["-d"] if cell.reuse else [])
    command += ["-r", str(cell.recipients)] if cell.recipients > 1 else []
    port = peer.port + (TLS_PORTS if cell.tls else 0)
    return subprocess.Popen([*command, f"127.0.0.1:{port}"], stderr=subprocess.PIPE)


def send(
    server: Server, cell: Cell, sink: Sink | None, messages: int, limit: float = LIMIT
) -> tuple[float, float]:
    """Send; return the seconds until the last 250 and until the last message had arrived."""
    arrived = _Arrivals(server.peer.maildir, sink)
    began, wall = time.monotonic(), time.time()  # noqa: TID251 - files have this time
    process = source(server.peer, cell, messages)
    try:
        said = process.communicate(timeout=limit)[1].decode(errors="replace")
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise RunError(f"smtp-source had not ended after {limit:.0f} s") from None
    accepted = time.monotonic() - began
    if process.returncode:
        raise RunError(f"smtp-source: {said.strip()[-200:]}; {server.said()[-200:]}")
    if cell.mode == "accept":
        return accepted, accepted
    while arrived.count() < messages:
        if time.monotonic() > began + limit:
            missing = f"{arrived.count()} of {messages} messages had arrived after {limit:.0f} s"
            raise RunError(f"{missing}; {server.said()[-200:]}")
        time.sleep(0.02)
    return accepted, arrived.last(began, wall)


class _Arrivals:
    """Messages that came to the sink, or else into the Maildir, since it was made."""

    def __init__(self, maildir: Path, sink: Sink | None) -> None:
        self._new = maildir / "new"
        self._sink = sink
        self._before = 0
        self._before = self.count()

    def count(self) -> int:
        if self._sink is not None:
            return self._sink.count - self._before
        with contextlib.suppress(FileNotFoundError):
            return len(os.listdir(self._new)) - self._before
        return 0

    def last(self, began: float, wall: float) -> float:
        if self._sink is not None:
            return self._sink.last - began
        with os.scandir(self._new) as entries:
            return max(entry.stat().st_ctime for entry in entries) - wall  # a rename sets it


def run(server: Server, cell: Cell, sink: Sink | None, messages: int, tunnels: Sequence[Tunnel] = ()) -> Figures:  # fmt: skip  # noqa: E501
    """Measure one run."""
    os.sync()  # what others have written is not ours to wait for
    account, place = server.account, server.peer.place
    measure.wait_until_quiet(account)
    flushed, cpu, busy = measure.flushes(place), account.cpu(), measure.machine_busy()
    loads, began = _children(), time.monotonic()
    helpers = [*tunnels, sink] if sink else [*tunnels]
    helpers_cpu = sum(each.cpu() for each in helpers)
    with measure.Peak(account) as peak:
        accepted, arrived = send(server, cell, sink, messages)
        seconds = time.monotonic() - began
        known = account.cpu() - cpu + _children() - loads + sum(each.cpu() for each in helpers) - helpers_cpu
        others = (measure.machine_busy() - busy - known) / (seconds * (os.cpu_count() or 1))
        measure.wait_until_quiet(account)
        spent = account.cpu() - cpu
    after = measure.flushes(place)
    return Figures(
        messages=messages,
        rate=messages / arrived,
        accepted=messages / accepted,
        cpu_ms=spent * 1000 / messages,
        memory=peak.bytes,
        resident=peak.resident,
        processes=peak.processes,
        flushes=None if after is None or flushed is None else (after - flushed) / messages,
        others=max(0.0, others),
    )


def _children() -> float:
    """Return the CPU seconds of our own processes that have ended: the load generator, above all."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
