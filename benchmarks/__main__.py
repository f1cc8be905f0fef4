"""Postroad beside Postfix and Haraka: measured in one run, written as a document.  See docs/benchmarks.md."""

import argparse
import contextlib
import shutil
import sys
import time
from pathlib import Path

from benchmarks import document, ground, machine
from benchmarks.peers import PEERS, made
from benchmarks.results import Results
from benchmarks.runner import Options, Runner
from benchmarks.scenarios import ALL, GROUPS, LOADS, Cell, chosen

ROOT = Path(__file__).parents[1]
WORK = Path("/var/tmp/postroad-bench")
CONNECTIONS, QUICK_CONNECTIONS = 10_000, 1_000


def options(arguments: list[str]) -> argparse.Namespace:
    names = ", ".join([*GROUPS, *(cell.name for cell in LOADS)])
    parser = argparse.ArgumentParser(
        prog="make bench", description=__doc__, epilog=f"What there is: {names}."
    )
    add = parser.add_argument
    add("--only", default="", metavar="NAMES", help="measure these alone (groups or cells, by comma)")
    add("--peers", default=",".join(ALL), metavar="NAMES", help="servers, by comma (default: %(default)s)")
    add("--quick", action="store_true", help="the main cells, one round, short runs: within five minutes")
    add("--rounds", type=int, help="rounds of each cell (default: 3, quick 1)")
    add("--seconds", type=float, help="length of a run (default: 5, quick 2)")
    add("--messages", type=int, default=0, help="messages of a run, instead of a length")
    add("--directory", type=Path, help="measure here, not on a journalled file system made for it")
    add("--work", type=Path, default=WORK, help="where its file is made (default: %(default)s)")
    add("--output", type=Path, help="directory of benchmarks.md (default: docs for a full run, else run)")
    add("--again", action="store_true", help="put what --only measures in place of it in the document")
    add("--render", action="store_true", help="make the document again from its results.json")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    given = options(arguments)
    partial = bool(given.quick or given.only or given.messages or given.peers != ",".join(ALL))
    output = given.output or ROOT / ("run" if partial and not (given.render or given.again) else "docs")
    if given.render:
        document.write(Results.load(output / "benchmarks/results.json"), output)
        return 0
    cells, others = chosen(given.only, quick=given.quick)
    ground.enter(arguments)
    results = Results()
    began = time.monotonic()
    try:
        measure(given, cells, others, results)
        results.about["minutes"] = (time.monotonic() - began) / 60
        if given.again:
            former = Results.load(output / "benchmarks/results.json")
            former.again(results)
            results = former
        results.save(output / "benchmarks/results.json")
        document.write(results, output)
    except KeyboardInterrupt:
        results.save(given.work / "stopped.json")
        print(f"bench: stopped; what was measured is in {given.work / 'stopped.json'}", file=sys.stderr)
        return 130
    print(f"bench: {output / 'benchmarks.md'}", flush=True)
    return 0


def measure(given: argparse.Namespace, cells: list[Cell], others: list[str], results: Results) -> None:
    quick = given.quick
    how = Options(
        rounds=given.rounds or (1 if quick else 3),
        seconds=given.seconds or (2.0 if quick else 5.0),
        idle=QUICK_CONNECTIONS if quick else CONNECTIONS,
        messages=given.messages,
    )
    with place_of(given) as place:
        unknown = [name for name in given.peers.split(",") if name not in PEERS]
        if unknown:
            raise SystemExit(f"bench: no such server: {', '.join(unknown)}")
        peers = made(given.peers.split(","), place)
        results.machine = machine.facts() | {"File system": ground.file_system(place)}
        results.about = {
            "date": time.strftime("%Y-%m-%d"),
            "arguments": " ".join(sys.argv[1:]),
            "rounds": how.rounds,
            "seconds": how.seconds,
        }
        for name, peer in peers.items():
            words = {"title": peer.title, "version": peer.version(), "before_250": peer.before_250}
            results.peers[name] = words | {"settings": peer.settings()}
        results.cells = {cell.name: cell.what for cell in cells}
        runner = Runner(peers, place, how, results)
        runner.loads([cell for cell in cells if cell.group != "depth"])
        todo = {"latency": runner.latencies, "idle": runner.connections, "trace": runner.traces}
        todo["handshakes"] = runner.handshakes
        for name in others:
            todo[name]()
        runner.depths([cell for cell in cells if cell.group == "depth"])


@contextlib.contextmanager
def place_of(given: argparse.Namespace):
    """Yield an empty directory on the file system to measure on, and take all of it away in the end."""
    if given.directory:
        place = given.directory / "postroad-bench"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        try:
            yield place
        finally:
            shutil.rmtree(place, ignore_errors=True)
        return
    try:
        yield ground.journalled(given.work)
    finally:
        ground.leave(given.work)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
