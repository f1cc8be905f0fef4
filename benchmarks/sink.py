"""smtp-sink, the next hop, and how many messages have reached it and when."""

import contextlib
import os
import re
import socket
import subprocess
import threading
import time
from pathlib import Path
from typing import Self

from benchmarks.measure import TICK
from benchmarks.peers.peer import SINK_PORT, program
from benchmarks.server import NotServingError

COUNTER = re.compile(rb"mesg=(\d+)")


class Sink:
    """Reads the running counter that ``smtp-sink -c`` prints, a few hundred times a second."""

    def __init__(self, *, lmtp: bool = False, port: int = SINK_PORT) -> None:
        self.count = 0
        self.last = 0.0  # when the newest came
        self._port = port
        self._over = threading.Event()
        self._lmtp = ["-L"] if lmtp else []

    def __enter__(self) -> Self:
        options = ["-c", "-m", "4000", "-u", "nobody", *self._lmtp]
        self._process = subprocess.Popen(
            [str(program("smtp-sink")), *options, f"127.0.0.1:{self._port}", "4000"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        end = time.monotonic() + 10
        while time.monotonic() < end:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", self._port), 1).close()
                return self
            time.sleep(0.02)
        raise NotServingError("smtp-sink does not listen")

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._process.terminate()
        self._process.wait()
        self._thread.join()

    def cpu(self) -> float:
        """Return the CPU seconds that the sink has used."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICK

    def _read(self) -> None:
        assert self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
        rest = b""
        while not self._over.is_set():
            data = os.read(descriptor, 1 << 16)
            if not data:
                return
            count, rest = newest(rest + data)
            if count > self.count:
                self.count, self.last = count, time.monotonic()
            time.sleep(0.004)  # so that a write of the sink does not wake us each time


def newest(printed: bytes) -> tuple[int, bytes]:
    """Return the last complete count printed (0 if none), and what is to be kept for the next look."""
    complete, found, rest = printed.rpartition(b"\r")
    counts = COUNTER.findall(complete[-200:])
    return (int(counts[-1]) if counts else 0), rest if found else printed
