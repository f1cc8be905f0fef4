"""The supervisor's view of its workers: starting them, speaking to them, replacing one that dies."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from postroad.app.channel import Channel, Message
from postroad.base.log import Event, Log

DIED = Event(
    "master", "warning: process %s pid %d %s", "A worker has died; another takes its place.", urgent=True
)
_RESTART_DELAY = 1.0  # seconds, doubled up to the limit while a worker keeps dying early
_RESTART_LIMIT = 60.0


def _nobody_cares(number: int, sites: list[str]) -> None:
    """Hear of sites, and do nothing about it."""
    del number, sites


class Worker:
    """One worker process.  ``begin()`` gives the first message and descriptors for a new process.

    ``wished`` hears of the sites whose mail its clients want to be tried, and of its number.
    """

    def __init__(
        self,
        number: int,
        begin: Callable[[int], tuple[Message, Sequence[int]]],
        log: Log,
        wished: Callable[[int, list[str]], None] = _nobody_cares,
    ) -> None:
        self.number = number
        self.pid = 0
        self.ready: asyncio.Future[list[str]] = asyncio.get_running_loop().create_future()
        self._begin = begin
        self._log = log
        self._wished = wished
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: Channel | None = None
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._last = 0
        self._delay = _RESTART_DELAY
        self._started = 0.0
        self._stopping = False
        #: The process's environment, and descriptors that it inherits; None: ours.
        self.environment: tuple[Mapping[str, str], Sequence[int]] | None = None

    def start(self) -> None:
        """Start the process."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        fd = theirs.fileno()
        # A new interpreter, not a fork: the supervisor's loop and sockets stay its own.
        environment, inherited = self.environment or (None, ())
        self._process = subprocess.Popen(  # noqa: S603 - our own program
            # -P: the working directory is mail_owner's, and root imports nothing from there.
            [sys.executable, "-P", "-m", "postroad.app.worker", str(fd)],
            pass_fds=[fd, *inherited],
            env=environment,
            stdin=subprocess.DEVNULL,
            cwd=os.getcwd(),  # noqa: PTH109
        )
        theirs.close()
        self.pid = self._process.pid
        self._started = asyncio.get_running_loop().time()
        self._channel = Channel(ours, self._received, self._closed)
        message, fds = self._begin(self.number)
        self._channel.send(message, fds)

    def send(self, message: Message, fds: Sequence[int] = ()) -> None:
        """Tell it something that has no answer."""
        if self._channel is not None:
            self._channel.send(message, fds)

    async def ask(
        self, request: dict[str, Any], fds: Sequence[int] = (), seconds: float = 20.0
    ) -> dict[str, Any]:
        """Ask it something; an answer that does not come in time is ``{"error": ...}``."""
        if self._channel is None or not self._channel.open:
            return {"error": f"worker {self.number} has ended; another takes its place"}
        self._last += 1
        number = self._last
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        self.send({"do": "request", "id": number, "request": request}, fds)
        try:
            async with asyncio.timeout(seconds):
                found: dict[str, Any] = await answer
                return found
        except TimeoutError:
            return {"error": f"worker {self.number} (pid {self.pid}) does not answer"}
        finally:
            self._answers.pop(number, None)

    async def stop(self, seconds: float) -> None:
        """Let it finish what is under way, at most so long; then kill it."""
        self._stopping = True
        self.send({"do": "stop", "seconds": seconds})
        process = self._process
        if process is None:
            return
        end = asyncio.get_running_loop().time() + seconds + 5
        while process.poll() is None and asyncio.get_running_loop().time() < end:
            await asyncio.sleep(0.02)
        self.kill()

    def kill(self) -> None:
        """End it at once."""
        self._stopping = True
        if self._process is not None and self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGKILL)
            self._process.wait()

    def _received(self, message: Message, _fds: list[int]) -> None:
        kind = message.get("re")
        if kind == "ready":
            if not self.ready.done():
                self.ready.set_result([])
        elif kind == "failed":
            problems = [str(problem) for problem in message["problems"]]
            if not self.ready.done():
                self.ready.set_result(problems)
            else:  # one that takes another's place: nobody waits for it
                for problem in problems:
                    self._log.error("master", f"worker {self.number}: {problem}")
        elif kind == "answer":
            answer = self._answers.get(message["id"])
            if answer is not None and not answer.done():
                answer.set_result(message["answer"])
        elif kind == "flush":
            self._wished(self.number, [str(site) for site in message["sites"]])

    def _closed(self) -> None:
        """It has gone: on purpose, or it is replaced after a while."""
        for answer in self._answers.values():
            if not answer.done():
                answer.set_result({"error": f"worker {self.number} has ended"})
        asyncio.get_running_loop().call_soon(self._reap)

    def _reap(self, tries: int = 0) -> None:
        process = self._process
        if process is None or self._stopping:
            return
        loop = asyncio.get_running_loop()
        status = process.poll()
        if status is None:
            if tries > 100:
                process.kill()  # it closed its channel and lives on: it is of no use
            loop.call_later(0.02, self._reap, tries + 1)
            return
        if not self.ready.done():
            self.ready.set_result([f"worker {self.number} ended with status {status} before it was ready"])
            return
        how = f"killed by signal {-status}" if status < 0 else f"exit status {status}"
        self._log.emit(DIED, f"worker {self.number}", process.pid, how)
        lived = loop.time() - self._started
        self._delay = _RESTART_DELAY if lived > _RESTART_LIMIT else min(self._delay * 2, _RESTART_LIMIT)
        loop.call_later(0 if lived > _RESTART_LIMIT else self._delay / 2, self._replace)

    def replace(self) -> None:
        """Kill the process, which is of no use any more; another takes its place."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()

    def _replace(self) -> None:
        if self._stopping:
            return
        try:
            self.start()
        except OSError as error:  # no process, no memory, no descriptor: perhaps later
            self._log.error("master", f"worker {self.number}: cannot be started: {error}")
            asyncio.get_running_loop().call_later(self._delay, self._replace)
