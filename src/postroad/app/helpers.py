"""The supervisor's mailbox helpers: one privileged process beside each worker.

A worker has no rights but mail_owner's; a mailbox that belongs to somebody else is written by its
helper, which checks each request against the bounds it was started with.
"""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Callable

from postroad.base.config import Config
from postroad.base.log import Event, Log
from postroad.delivery.mailbox.params import VIRTUAL_MINIMUM_UID
from postroad.delivery.mailbox.virtual import base_of
from postroad.delivery.mailbox.wire import pair

DIED = Event("master", "warning: mailbox helper pid %d ended; another takes its place", urgent=True)
_LOOK_EVERY = 1.0  # seconds


class MailboxHelper:
    """Starts helpers, and another when one has died.  ``replaced(worker, fd)`` gives its new socket away."""

    def __init__(self, config: Config, log: Log, replaced: Callable[[int, int], None]) -> None:
        self._log = log
        self._replaced = replaced
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        self._ends: dict[int, socket.socket] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._stopping = False
        self._arguments: list[str] = []
        self.configure(config)

    def configure(self, config: Config) -> None:
        """Take over the bounds of these settings; helpers that run under others are replaced."""
        services = [each for each in config.services if each.command == "virtual"]
        settings = [config.settings, *(config.settings_for(each) for each in services)]
        bases = list(dict.fromkeys(os.fsdecode(base_of(each)) for each in settings))
        arguments = [str(min(each[VIRTUAL_MINIMUM_UID] for each in settings)), *filter(None, bases)]
        changed = self._processes and arguments != self._arguments
        self._arguments = arguments
        if changed:
            for number in list(self._processes):
                self._replaced(number, self.start(number))

    def start(self, number: int) -> int:
        """Start the helper of a worker, in place of any before; returns the worker's end."""
        self._end(number)
        ours, theirs = pair()
        self._processes[number] = subprocess.Popen(  # noqa: S603 - our own program
            [
                sys.executable,
                "-m",
                "postroad.delivery.mailbox.helper",
                str(theirs.fileno()),
                *self._arguments,
            ],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
        )
        theirs.close()
        # Kept open until the channel has sent it; the next start, or stop, closes it.
        self._ends[number] = ours
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_LOOK_EVERY, self._look)
        return ours.fileno()

    def stop(self) -> None:
        """End all of them."""
        self._stopping = True
        if self._timer is not None:
            self._timer.cancel()
        for number in list(self._processes):
            self._end(number)

    def _look(self) -> None:
        for number, process in list(self._processes.items()):
            if process.poll() is not None and not self._stopping:
                self._log.emit(DIED, process.pid)
                self._replaced(number, self.start(number))
        self._timer = asyncio.get_running_loop().call_later(_LOOK_EVERY, self._look)

    def _end(self, number: int) -> None:
        end = self._ends.pop(number, None)
        if end is not None:
            end.close()
        process = self._processes.pop(number, None)
        if process is not None and process.poll() is None:
            # It ends by itself when the worker closes its end; a worker that was killed has.
            try:
                process.wait(0.2)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
