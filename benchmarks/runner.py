"""The order of the measurements: for each cell, round by round, one server after the other.

So what the machine does besides hits all of them alike, and a ratio is one of runs that are minutes
apart at most.
"""

import contextlib
import dataclasses
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import depth, handshakes, idle, latency, load, trace
from benchmarks.dialogue import until_accepted
from benchmarks.load import Figures, RunError
from benchmarks.peers import PEERS, Peer
from benchmarks.peers.peer import SINK_PORT, TLS_PORTS, TLS_SINK_PORT, Plan
from benchmarks.results import Results
from benchmarks.scenarios import BASE, Cell
from benchmarks.server import NotServingError, Server
from benchmarks.sink import Sink
from benchmarks.tunnel import Tunnel


@dataclass(frozen=True)
class Options:
    rounds: int = 3
    seconds: float = 5.0  # of load in one run
    idle: int = 10_000
    messages: int = 0  # of a run; 0 lets the server's own rate decide


class Runner:
    """Measures and writes into ``results``; each failure is written there, too, and the rest goes on."""

    def __init__(self, peers: dict[str, Peer], place: Path, options: Options, results: Results) -> None:
        self._peers = peers
        self._place = place
        self._options = options
        self._results = results
        self._rates: dict[tuple[str, str], float] = {}

    def loads(self, cells: list[Cell]) -> None:
        for cell in cells:
            for number in range(self._options.rounds):
                for peer in self._turn(cell, number):
                    self._one(cell, peer, number, Plan(cell.mode, cell.sessions, tls=cell.tls))
                    peer.clear(keep_queue=False)

    def depths(self, cells: list[Cell]) -> None:
        """Fill a queue for each cell and server, then measure them in turn, each queue as it was filled."""
        filled = {
            (cell.name, name): PEERS[name](self._place / cell.name / name)
            for cell in cells
            for name in cell.peers
            if name in self._peers
        }
        for cell in cells:
            for name in cell.peers:
                if (cell.name, name) in filled:
                    self._fill(filled[cell.name, name], cell)
        for number in range(self._options.rounds):
            for name in self._peers:
                for cell in cells:
                    if (cell.name, name) in filled:
                        self._one(cell, filled[cell.name, name], number, Plan(keep=True))
        for peer in filled.values():
            peer.clear(keep_queue=False)

    def _turn(self, cell: Cell, number: int) -> Iterator[Peer]:
        """Return the servers that take part; each round begins with another."""
        names = [name for name in self._peers if name in cell.peers]
        shift = number % len(names) if names else 0
        return (self._peers[name] for name in names[shift:] + names[:shift])

    def _fill(self, peer: Peer, cell: Cell) -> None:
        with self._reported(cell.name, peer, 0):
            seconds = depth.fill(peer, cell.depth)
            bytes_used = depth.used(peer.queue)
            self._results.filling.append(
                {"cell": cell.name, "peer": peer.name, "seconds": seconds, "bytes": bytes_used}
            )
            _say(f"{cell.name:18} {peer.name:9} filled in {seconds:.0f} s, {bytes_used / 1e6:,.0f} MB")

    def _one(self, cell: Cell, peer: Peer, number: int, plan: Plan) -> None:
        with self._reported(cell.name, peer, number), contextlib.ExitStack() as stack:
            lmtp = cell.mode == "lmtp"
            sink = stack.enter_context(Sink(lmtp=lmtp)) if cell.mode in {"relay", "lmtp"} else None
            server = stack.enter_context(Server(peer, plan))
            tunnels = [stack.enter_context(each) for each in _tunnels(peer)] if cell.tls else []
            more: dict[str, float | None] = {}
            if cell.group == "depth":
                until_accepted(peer.port)
                more = {"start": time.monotonic() - server.began, "listing": depth.listing(peer)}
            figures = self._measured(server, cell, sink, tunnels)
            self._record(cell, peer, number, figures, more)

    def _measured(
        self, server: Server, cell: Cell, sink: Sink | None, tunnels: Sequence[Tunnel] = ()
    ) -> Figures:
        """Warm the server up, so that what it starts and loads is there, then measure it."""
        warming = 40 if cell.size > 100_000 else max(300, 2 * cell.sessions)
        accepted, arrived = load.send(server, cell, sink, warming)
        rate = self._rates.get((cell.name, server.peer.name)) or warming / max(accepted, arrived)
        messages = self._options.messages or max(warming, int(rate * self._options.seconds))
        figures = load.run(server, cell, sink, messages, tunnels)
        self._rates[cell.name, server.peer.name] = figures.rate
        return figures

    def _record(
        self, cell: Cell, peer: Peer, number: int, figures: Figures, more: dict[str, float | None]
    ) -> None:
        self._results.runs.append(
            {"cell": cell.name, "peer": peer.name, "round": number, **dataclasses.asdict(figures), **more}
        )
        flushes = "" if figures.flushes is None else f"  {figures.flushes:.2f} flushes"
        _say(
            f"{cell.name:18} {peer.name:9} round {number + 1}  {figures.rate:8,.0f}/s  "
            f"{figures.cpu_ms:7.3f} ms CPU  {figures.memory / 2**20:6.0f} MiB{flushes}  "
            f"others {figures.others:.0%}"
        )

    @contextlib.contextmanager
    def _reported(self, cell: str, peer: Peer, number: int) -> Iterator[None]:
        try:
            yield
        except (RunError, NotServingError, OSError, subprocess.SubprocessError) as error:
            self._results.runs.append(
                {"cell": cell, "peer": peer.name, "round": number, "error": str(error)[:400]}
            )
            _say(f"{cell:18} {peer.name:9} round {number + 1}  FAILED: {error}")

    def latencies(self) -> None:
        """Wait for 250s at a tenth and at half of what each server relays at most, as measured before."""
        for name, peer in self._peers.items():
            full = self._results.median(BASE.name, name, "rate")
            with self._reported("latency", peer, 0), Sink() as sink, Server(peer, Plan()) as server:
                if full is None:
                    full = self._measured(server, BASE, sink).rate
                for share in (0.1, 0.5):
                    waits = latency.paced(peer.port, BASE.size, full * share, self._options.seconds * 2)
                    figures = dataclasses.asdict(waits)
                    self._results.latency.append({"peer": name, "share": share, "full": full, **figures})
                    _say(f"latency            {name:9} {waits.rate:8,.0f}/s  p50 {waits.p50:.2f} ms  p99 {waits.p99:.2f} ms")  # fmt: skip  # noqa: E501

    def connections(self) -> None:
        for name, peer in self._peers.items():
            with self._reported("idle", peer, 0):
                found = idle.connections(peer, self._options.idle)
                self._results.idle.append({"peer": name, **found})
                _say(f"idle               {name:9} {found['connections']:,.0f} connections, {found['bytes']:,.0f} bytes each")  # fmt: skip  # noqa: E501

    def handshakes(self) -> None:
        """Count handshakes of TLS, new and resumed."""
        for number in range(self._options.rounds):
            for name in ("postroad", "postfix") if number % 2 == 0 else ("postfix", "postroad"):
                if name not in self._peers:
                    continue
                peer = self._peers[name]
                with self._reported("handshakes", peer, 0), Server(peer, Plan(tls=True)) as server:
                    for kind in ("new", "reuse"):
                        found = handshakes.measured(server, kind, self._options.seconds)
                        self._results.handshakes.append({"peer": name, "kind": kind, **found})
                        _say(f"handshakes         {name:9} {kind:5} {found['rate']:8,.0f}/s  {found['cpu_ms']:.3f} ms CPU")  # fmt: skip  # noqa: E501
                peer.clear(keep_queue=False)

    def traces(self) -> None:
        for name, peer in self._peers.items():
            with self._reported("trace", peer, 0):
                lines, proved = trace.one_message(peer)
                calls = trace.syncs(peer, 1000)
                self._results.traces[name] = {"lines": lines, "proved": proved, "calls": calls}
                _say(f"trace              {name:9} {'synced before the 250' if proved else 'NOT PROVED'}")


def _tunnels(peer: Peer) -> tuple[Tunnel, Tunnel]:
    """Return what stands before a server, and before the sink."""
    place, certificate = peer.place, peer.certificate
    return (
        Tunnel(place, peer.port + TLS_PORTS, peer.port, client=True, certificate=certificate),
        Tunnel(place, TLS_SINK_PORT, SINK_PORT, client=False, certificate=certificate),
    )


def _say(line: str) -> None:
    print(line, flush=True)
