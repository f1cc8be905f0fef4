"""docs/benchmarks.md, written from the results alone."""

import statistics
from pathlib import Path

from benchmarks import plots
from benchmarks.goals import goals
from benchmarks.results import Results
from benchmarks.table import mebibytes, number, significant, spread, table

HEAD = """# Benchmarks

Postroad beside other servers, all measured in one run of `make bench` on {date} ({minutes}). This file is
written by that command; its figures are in [results.json](benchmarks/results.json).

**Compare within this document only**: a rate depends on the machine, on what else it does, and on the load
generator, which shares its processors. The ratio between servers of one run says more than any of its
rates, and CPU a message says more than the rate, since it depends least on what else runs.
"""
AGAIN = """## To repeat it

```sh
make bench                                  # all of it, about 40 minutes; writes this file
make bench ARGS="--quick"                   # the main cells once, within five minutes; writes run/benchmarks.md
make bench ARGS="--only relay-10k,accept"   # groups or cells by name; --help lists them
make bench ARGS="--directory /srv/test"     # on this file system, not on one made for it
.venv/bin/python -m benchmarks --render     # makes this file again from the results, without measuring
```

It wants Linux, root, and a Debian to install Postfix, strace and npm's Haraka on. Everything runs in
namespaces of its own (mounts, network, processes), so that nothing is left mounted or running whatever
ends it.

The stages alone, without sockets or peers, are measured by `benchmarks/proto_server.py`, `proto_client.py`,
`intake.py` and `store.py`, each run by itself with `.venv/bin/python`.
"""  # noqa: E501
SAME = """Postroad and Postfix are given the same files but for places and `mail_owner`; all that is not named
is at its default. Cells add only what they are about: `defer_transports`, an LMTP next hop, a virtual
mailbox, or no limit of smtpd processes for 1,000 sessions and more.
"""
TLS = """## TLS handshakes

`openssl s_time`, four clients on the same processors, certificate ECDSA P-256; a port with TLS from the first
byte. *New* is TLS 1.3; *resumed* is TLS 1.2 with a session from before, since s_time does not wait for the
tickets of TLS 1.3.
"""
METHOD = """## How it is measured

- Load: Postfix's `smtp-source`, one command at a time; next hop: Postfix's `smtp-sink`. Both run on the same
  machine.
- Each cell is measured in rounds; in each round the servers take turns, the first of them changing. A server
  is started anew for every run, with an empty queue, and warmed up; then a run of fixed length follows.
  Tables give the median of the rounds, with the least and the most in brackets.
- *Messages a second* ends with the last message's arrival at the next hop or in the Maildir; *accepted* with
  the last 250. In the accept cells mail stays in the queue, deferred (`defer_transports`; in Haraka by a
  plugin's answer).
- *CPU* is that of the server and all processes it started, from the control group, until it has nothing left
  to do.
- *Memory* is the peak of the proportional set sizes (PSS) of all its processes: what they share is counted
  once. *RSS sum* counts shared pages for each process that has them.
- *Flushes* are those of the device under the queue (the kernel's count), so they are the syncs that reached
  it. With a write-through cache the kernel has nothing to flush and counts none.
- *Others* is the share of all processors that neither server nor load generator nor next hop used: noise,
  and the kernel's own threads.
- The file system is ext4 with a journal, in a file with direct input and output, made for the run: the disk
  under `/` may lack a journal, and then a server that creates and deletes a file for each message pays for
  the missing journal.
- TLS: smtp-source and smtp-sink know none, so stunnel stands before the server (it says STARTTLS) and before
  the sink (it offers it), for each server alike, on the same processors.
- Latency: a generator with a timetable; a message that is late because no connection is free counts from its
  moment.
"""


def write(results: Results, directory: Path) -> None:
    """Write ``benchmarks.md`` and its plots below ``directory``."""
    drawn = plots.draw(results, directory / "benchmarks")
    (directory / "benchmarks.md").write_text(text(results, drawn))


def _again(results: Results) -> str:
    """Name the cells that are of a later run."""
    cells = results.about.get("again", ())
    if not cells:
        return ""
    names = ", ".join(f"`{name}`" for name in cells)
    return f"Measured again later, all servers in turn in one run: {names}.\n"


def text(results: Results, drawn: list[tuple[str, str]]) -> str:
    minutes = f"{results.about.get('minutes', 0):.0f} minutes, {results.about.get('rounds')} rounds"
    parts = [
        HEAD.format(date=results.about.get("date"), minutes=minutes),
        _again(results),
        _goals(results),
        _ground(results),
        _plots(drawn),
        _cells(results),
        _depth(results),
        _latency(results),
        _handshakes(results),
        _idle(results),
        _traces(results),
        _failures(results),
        METHOD,
        AGAIN,
        _settings(results),
    ]
    return "\n".join(part for part in parts if part)


def _goals(results: Results) -> str:
    rows = [(goal.what, goal.wanted, goal.text, goal.verdict) for goal in goals(results)]
    return "## Goals\n\n" + table(("", "goal", "measured", ""), rows)


def _ground(results: Results) -> str:
    rows = [(f"{peer['title']} {peer['version']}", peer["before_250"]) for peer in results.peers.values()]
    lines = [
        "| server | done before the 250 |",
        "|---|---|",
        *(f"| {name} | {rule} |" for name, rule in rows),
    ]
    facts = [f"- {name}: {value}" for name, value in results.machine.items()]
    return "\n".join(["## Machine and servers", "", *facts, "", *lines]) + "\n"


def _plots(drawn: list[tuple[str, str]]) -> str:
    if not drawn:
        return ""
    return "## Plots\n\n" + "\n".join(f"![{title}](benchmarks/{name})" for title, name in drawn) + "\n"


def _cells(results: Results) -> str:
    """Return a table for each group of loads."""
    loads = {name: what for name, what in results.cells.items() if not name.startswith("depth-")}
    rows = []
    for cell, what in loads.items():
        for peer, words in results.peers.items():
            rates = results.values(cell, peer, "rate")
            if rates:
                rows.append(_row(results, cell, peer, f"{what}: **{words['title']}**", rates))
    if not rows:
        return ""
    heads = ("", "messages/s", "accepted/s", "x Postfix", "CPU ms", "CPU / Postfix", "peak MiB", "RSS sum")
    return "## Loads\n\n" + table((*heads, "processes", "flushes", "others"), rows)


def _row(results: Results, cell: str, peer: str, what: str, rates: list[float]) -> tuple[str, ...]:
    def median(name: str) -> float | None:
        return results.median(cell, peer, name)

    beside = results.ratio(cell, "rate", peer)
    cpu = results.ratio(cell, "cpu_ms", peer)
    return (
        what,
        spread(rates),
        number(median("accepted")),
        "-" if beside is None else f"{beside:.2f}",
        significant(median("cpu_ms")),
        "-" if not cpu else f"1/{1 / cpu:.1f}" if cpu < 1 else f"{cpu:.2f}",
        mebibytes(median("memory")),
        mebibytes(median("resident")),
        number(median("processes")),
        number(median("flushes"), 2),
        f"{median('others') or 0:.0%}",
    )


def _depth(results: Results) -> str:
    rows = []
    filled = {(entry["cell"], entry["peer"]): entry for entry in results.filling}
    for peer, words in results.peers.items():
        for cell in (name for name in results.cells if name.startswith("depth-")):
            rates = results.values(cell, peer, "rate")
            if not rates:
                continue
            start, listing = (results.median(cell, peer, name) for name in ("start", "listing"))
            entry = filled.get((cell, peer), {})
            rows.append(
                (
                    f"{int(cell.removeprefix('depth-')):,} messages: **{words['title']}**",
                    spread(rates),
                    significant(results.median(cell, peer, "cpu_ms")),
                    mebibytes(results.median(cell, peer, "memory")),
                    number(start, 2),
                    number(listing, 2),
                    number(entry.get("bytes", 0) / 1e6),
                    number(entry.get("seconds")),
                )
            )
    if not rows:
        return ""
    heads = ("deferred mail in the queue", "messages/s", "CPU ms", "peak MiB", "start to first 250, s")
    more = ("`postqueue -p \\| head`, s", "queue, MB", "filled in, s")
    return "## A deep queue\n\nRelay of 10 KiB over 50 sessions beside it.\n\n" + table((*heads, *more), rows)


def _latency(results: Results) -> str:
    rows = [
        (
            f"**{results.peers[entry['peer']]['title']}** at {entry['share']:.0%} of {entry['full']:,.0f}/s",
            number(entry["rate"]),
            number(entry["messages"]),
            *(number(entry[name], 2) for name in ("p50", "p99", "most")),
        )
        for entry in results.latency
    ]
    if not rows:
        return ""
    heads = ("relay, 10 KiB, 100 connections", "messages/s", "messages", "p50 ms", "p99 ms", "most ms")
    return "## From the final dot to the 250\n\n" + table(heads, rows)


def _handshakes(results: Results) -> str:
    rows = []
    for kind, words in (("new", "new"), ("reuse", "resumed")):
        for peer, facts in results.peers.items():
            found = [each for each in results.handshakes if (each["peer"], each["kind"]) == (peer, kind)]
            if found:
                cpu = statistics.median(each["cpu_ms"] for each in found)
                rates = [each["rate"] for each in found]
                rows.append((f"{words}: **{facts['title']}**", spread(rates), significant(cpu)))
    return TLS + "\n" + table(("", "handshakes/s", "CPU ms"), rows) if rows else ""


def _idle(results: Results) -> str:
    rows = [
        (
            f"**{results.peers[entry['peer']]['title']}**",
            number(entry["connections"]),
            number(entry["bytes"]),
            mebibytes(entry["memory"]),
            number(entry["cpu_ms"], 3),
        )
        for entry in results.idle
    ]
    if not rows:
        return ""
    heads = ("connections that have said EHLO", "open", "bytes each", "MiB in all", "CPU ms to open one")
    note = "Memory of the processes; what the kernel holds for a socket is not in it.\n"
    return "## Idle connections\n\n" + table(heads, rows) + "\n" + note


def _traces(results: Results) -> str:
    if not results.traces:
        return ""
    parts = [
        "## Synced before the 250\n",
        (
            "One message, followed with `strace`: the calls on the files of the queue from the write of the "
            "message to its 250. `python -m benchmarks --only trace` shows it again.\n"
        ),
    ]
    for peer, entry in results.traces.items():
        verdict = "" if entry["proved"] else " (**not proved**)"
        parts += [f"{results.peers[peer]['title']}{verdict}:\n", "```", *entry["lines"], "```\n"]
    rows = [
        (
            f"**{results.peers[peer]['title']}**",
            ", ".join(f"{call} {count:.2f}" for call, count in sorted(entry["calls"].items())) or "none",
        )
        for peer, entry in results.traces.items()
    ]
    note = (
        "Calls that sync, a message, under the load of 50 sessions and traced (which slows a server down):\n"
    )
    return "\n".join([*parts, note, table(("", "calls a message"), rows)])


def _failures(results: Results) -> str:
    failed = [run for run in results.runs if "error" in run]
    if not failed:
        return ""
    lines = [f"- {run['cell']}, {run['peer']}, round {run['round'] + 1}: {run['error']}" for run in failed]
    return "\n".join(["## Runs that failed\n", *lines]) + "\n"


def _settings(results: Results) -> str:
    """Show the configurations; what only repeats another with other places is left out."""
    parts = [
        "## Settings\n",
        SAME,
    ]
    for name, words in results.peers.items():
        if name != "postfix" or "postroad" not in results.peers:
            parts += [f"{words['title']}:\n", "```", words["settings"].rstrip(), "```\n"]
    return "\n".join(parts)
