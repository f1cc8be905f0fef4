"""A server while it runs: started in an account of its own, stopped by process id."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

from benchmarks import measure
from benchmarks.peers.peer import Peer, Plan


class NotServingError(Exception):
    """The server did not begin to serve."""


class Server:
    """``with Server(peer, plan) as server:`` starts it, awaits its greeting, stops it in the end.

    ``prefix`` is a command that the server's command is given to (strace).
    """

    def __init__(self, peer: Peer, plan: Plan, prefix: Iterable[str] = (), limit: float = 120.0) -> None:
        self.peer = peer
        self.account = measure.group(peer.name)
        self._plan = plan
        self._prefix = list(prefix)
        self._limit = limit
        self._process: subprocess.Popen[bytes] | None = None
        self.began = 0.0

    def __enter__(self) -> Self:
        try:
            self.peer.prepare(self._plan)
            self.began = time.monotonic()
            self._start()
            await_greeting(self.peer.port, self.began + self._limit, self._alive)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _start(self) -> None:
        with (self.peer.place / "output").open("wb") as output:
            self._process = subprocess.Popen(
                self.account.enter([*self._prefix, *self.peer.command()]),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # ^C is for us, who stop it in order
            )
        self.account.watch(self._process.pid)

    def _alive(self) -> None:
        if self._process is not None and self._process.poll() is not None:
            raise NotServingError(f"{self.peer.name} ended at once: {self.said()}")

    def said(self) -> str:
        """Return the end of what it printed and logged."""
        texts = []
        for path in (self.peer.place / "output", self.peer.place / "log/maillog"):
            with contextlib.suppress(OSError):
                texts.append(path.read_text(errors="replace")[-400:])
        return "\n".join(texts).strip()

    def stop(self, grace: float = 30.0) -> None:
        """Ask it to end, then end whatever is left of it."""
        if self._process is not None and self._process.poll() is None:
            main = self._process.pid if not self._prefix else self._child()
            _signal(main, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(grace)
        for number in (signal.SIGTERM, signal.SIGKILL):
            end = time.monotonic() + 5
            for pid in self.account.pids():
                _signal(pid, number)
            while (left := self.account.pids()) and time.monotonic() < end:
                _collect(left)
                time.sleep(0.02)
        if self._process is not None:
            self._process.wait()
        self.account.close()

    def _child(self) -> int:
        """Return the server under a prefix that passes no signal on."""
        assert self._process is not None
        pid = self._process.pid
        with contextlib.suppress(OSError, IndexError):
            return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])
        return pid


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _collect(pids: list[int]) -> None:
    """Take notice of orphans that have ended, as the first process of a namespace has to."""
    for pid in pids:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)


def await_greeting(port: int, until: float, alive: object = None) -> None:
    """Return when a server greets on the port."""
    while time.monotonic() < until:
        if callable(alive):
            alive()
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 5) as probe:
            probe.settimeout(30)
            if probe.recv(4).startswith(b"220"):
                probe.sendall(b"QUIT\r\n")
                probe.recv(100)
                return
        time.sleep(0.02)
    raise NotServingError(f"nothing greets on port {port}")
