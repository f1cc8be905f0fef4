"""Handshakes of TLS a second, with nothing else in a connection: ``openssl s_time`` on a port of smtps."""

import contextlib
import re
import subprocess
import time

from benchmarks import measure
from benchmarks.peers.peer import WRAPPED_PORTS
from benchmarks.server import Server

_CLIENTS = 4
_COUNT = re.compile(r"(\d+) connections in ")


def measured(server: Server, kind: str, seconds: float) -> dict[str, float]:
    """Return ``rate`` a second and the server's ``cpu_ms`` of one.  ``kind``: "new", or "reuse" of a session.

    Several clients try again and again, each one handshake at a time.
    """
    measure.wait_until_quiet(server.account)
    cpu, began = server.account.cpu(), time.monotonic()
    place = f"127.0.0.1:{server.peer.port + WRAPPED_PORTS}"
    command = ["openssl", "s_time", "-connect", place, f"-{kind}", "-time", str(max(1, round(seconds)))]
    if kind == "reuse":
        command.append(
            "-tls1_2"
        )  # it does not wait for the tickets of TLS 1.3, which come behind the handshake
    clients = [
        subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        for _ in range(_CLIENTS)
    ]
    said = []
    for client in clients:
        with contextlib.suppress(subprocess.TimeoutExpired):
            said.append(client.communicate(timeout=seconds * 3 + 20)[0])
        client.kill()
    took = time.monotonic() - began
    measure.wait_until_quiet(server.account)
    count = sum(counted(text) for text in said)
    if not count:
        raise OSError(f"openssl s_time counted no handshakes: {server.said()[-200:]}")
    return {"rate": count / took, "cpu_ms": (server.account.cpu() - cpu) * 1000 / count}


def counted(text: str) -> int:
    """Return how many connections s_time says it made, by its clock on the wall."""
    found = _COUNT.findall(text)
    return int(found[-1]) if found else 0
