"""What a connection costs that says nothing: memory of the server with many of them, less that without."""

import time

from benchmarks import measure
from benchmarks.dialogue import Talk, content
from benchmarks.peers.peer import Peer, Plan
from benchmarks.server import Server

MOST_OF_POSTFIX = 1000  # each is a process


def connections(peer: Peer, most: int) -> dict[str, float]:
    """Open connections that have said EHLO; return their number and the bytes each of them takes."""
    count = min(most, MOST_OF_POSTFIX) if peer.name == "postfix" else most
    with Server(peer, Plan(sessions=count, mode="accept")) as server:
        for _ in range(20):  # what is loaded with the first message is not the connections'
            talk = Talk(peer.port)
            talk.message(content(1024))
            talk.close()
        measure.wait_until_quiet(server.account)
        before = measure.memory(server.account.pids())
        began, cpu = time.monotonic(), server.account.cpu()
        talks: list[Talk] = []
        try:
            talks.extend(Talk(peer.port) for _ in range(count))
            seconds = time.monotonic() - began
            measure.wait_until_quiet(server.account)
            spent = server.account.cpu() - cpu
            after = measure.memory(server.account.pids())
        finally:
            for talk in talks:
                talk.close()
    return {
        "connections": count,
        "bytes": (after - before) / count,
        "cpu_ms": spent * 1000 / count,
        "opened": count / seconds,
        "memory": after,
    }
