"""The proof that a 250 is given after the sync, and how many syncs a message takes: by system calls.

strace slows a server down, so that more messages share a sync than otherwise; the numbers of this
file are taken in runs of their own and no speed is read from them.
"""

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from benchmarks import load, measure
from benchmarks.dialogue import Talk, content
from benchmarks.peers.peer import Peer, Plan
from benchmarks.scenarios import BASE
from benchmarks.server import Server
from benchmarks.sink import Sink

MARK = b"X-Traced: this is the message that is looked for\r\n"
SYNCS = ("fsync", "fdatasync", "syncfs", "sync_file_range", "msync")
WRITES = ("write", "writev", "pwrite64", "pwritev", "pwritev2", "sendto", "sendmsg")
OPENS = ("openat", "rename", "renameat", "renameat2", "linkat")
CALL = re.compile(r"^(\d+) +(?:<\.\.\. )?(\w+)(?: resumed>|\()")
PLACE = re.compile(r"\(\w+<([^>]*(?:->[^>]*)?)>")
REPLY = re.compile(r'"250[ -][^"]*ueued')
UNFINISHED = " <unfinished ...>"


@dataclass(frozen=True)
class Step:
    """A system call with the lines at which it began and ended."""

    began: int
    ended: int
    pid: int
    call: str
    place: str  # the path of the file or the ends of the socket
    text: str


def parse(printed: str) -> list[Step]:
    """Read what ``strace -f -yy`` has written, in the order in which the calls began."""
    steps: list[Step] = []
    under_way: dict[tuple[int, str], tuple[int, str]] = {}
    for number, line in enumerate(printed.splitlines()):
        found = CALL.match(line)
        if found is None:
            continue
        pid, call = int(found[1]), found[2]
        began, text = number, line
        if line.endswith(UNFINISHED):
            under_way[pid, call] = (number, line.removesuffix(UNFINISHED))
            continue
        if " resumed>" in line[: found.end()]:
            began, start = under_way.pop((pid, call), (number, line))
            text = start + line[found.end() :]
        place = PLACE.search(text)
        steps.append(Step(began, number, pid, call, place[1] if place else "", text))
    return sorted(steps, key=lambda step: step.began)


@dataclass(frozen=True)
class Proof:
    """The calls that show it: what was written, synced and answered, in this order."""

    write: Step
    sync: Step
    reply: Step


def prove(steps: list[Step], queue: str) -> Proof | None:
    """Return the proof that the marked message was synced below ``queue`` before its 250, if there is one.

    All that is written to its file before the 250 counts, also what follows the message.
    """
    mark = MARK.decode().strip()
    reply = next((step for step in steps if step.call in WRITES and REPLY.search(step.text)), None)
    if reply is None:
        return None
    before = [
        step
        for step in steps
        if step.call in WRITES and step.place.startswith(queue) and step.ended < reply.began
    ]
    write = next((step for step in reversed(before) if mark in step.text), None)
    if write is None:
        return None
    last = next(step for step in reversed(before) if step.place == write.place)
    if "DSYNC" in last.text:  # a write that is its own sync
        return Proof(write, last, reply)
    for step in steps:
        if (
            step.call in SYNCS
            and _same_file(step.place, write.place, step.call)
            and last.ended < step.began
            and step.ended < reply.began
            and step.text.rstrip().endswith("= 0")
        ):
            return Proof(write, step, reply)
    return None


def _same_file(synced: str, written: str, call: str) -> bool:
    return synced == written or (call == "syncfs" and written.startswith(synced.rstrip("/")))


def shown(steps: list[Step], proof: Proof, queue: str) -> list[str]:
    """Return the calls on the queue's files and the reply, one a line, shortened."""
    lines = []
    for step in steps:
        ours = step.place.startswith(queue) and (step.call in SYNCS or step.call in WRITES)
        if (ours or step is proof.reply) and proof.write.began <= step.began <= proof.reply.began:
            result = step.text.rpartition(" = ")[2]
            place = step.place.removeprefix(queue).lstrip("/")
            what = "<- the message" if step is proof.write else ""
            if step is proof.reply:
                place, what = "the client", "<- 250 " + step.text.partition('"250 ')[2].partition("\\r")[0]
            elif step.call in SYNCS:
                what = "<- on disk" if step is proof.sync else ""
            lines.append(f"{step.call:10} {place:44} = {result:6} {what}".rstrip())
    return lines


def strace(output: Path, calls: tuple[str, ...], length: int) -> list[str]:
    """Return the prefix that traces a command and all it starts, stopping at these calls only."""
    names = ",".join(f"?{call}" for call in calls)
    return [
        "strace",
        "-f",
        "-yy",
        "--seccomp-bpf",
        "-s",
        str(length),
        "-e",
        f"trace={names}",
        "-o",
        str(output),
    ]


def one_message(peer: Peer) -> tuple[list[str], bool]:
    """Trace the way of a single message to its 250; return what is worth showing and whether it is proved."""
    output = peer.place.parent / f"{peer.name}.trace"
    with (
        Sink(),
        Server(peer, Plan(), prefix=strace(output, (*SYNCS, *WRITES, *OPENS), 20_000)),
    ):
        talk = Talk(peer.port)
        talk.message(MARK + content(1024))
        talk.close()
    steps = parse(output.read_text(errors="replace"))
    output.unlink()
    proof = prove(steps, str(peer.queue))
    if proof is None:
        return ["no sync of the message's file was seen between its write and the 250"], False
    return shown(steps, proof, str(peer.queue)), True


def syncs(peer: Peer, messages: int) -> dict[str, float]:
    """Return the calls of each kind of sync for a message, under a load."""
    output = peer.place.parent / f"{peer.name}.trace"
    with Sink() as sink, Server(peer, Plan(), prefix=strace(output, SYNCS, 0)) as server:
        before = output.read_text(errors="replace").count("\n")
        load.send(server, BASE, sink, messages)
        measure.wait_until_quiet(server.account)
        lines = output.read_text(errors="replace").splitlines()[before:]
    output.unlink()
    counts = Counter(found[2] for line in lines if "resumed>" not in line and (found := CALL.match(line)))
    return {call: count / messages for call, count in counts.items() if call in SYNCS}
