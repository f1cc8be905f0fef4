"""The supervisor's mailbox helpers: one privileged process beside each worker.

A worker has no rights but mail_owner's; a mailbox that belongs to somebody else is written by its
helper, which checks each request against the bounds it was started with.
"""

from __future__ import annotations

import asyncio
import contextlib
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
_END_TIME = 1.0  # seconds


class MailboxHelper:
    """Starts helpers, and another when one has died.  ``replaced(worker, fd)`` gives its new socket away."""

    def __init__(self, config: Config, log: Log, replaced: Callable[[int, int], None]) -> None:
        self._log = log
        self._replaced = replaced
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        self._ends: dict[int, socket.socket] = {}
        self._leaving: list[subprocess.Popen[bytes]] = []
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
        changed = arguments != self._arguments
        self._arguments = arguments
        if changed and not self._stopping:
            for number in list(self._processes):
                self._replaced(number, self.start(number))

    def start(self, number: int) -> int:
        """Start the helper of a worker, in place of any before; returns the worker's end.

        The one before ends by itself when its worker has closed its end of it.
        """
        self._let_go(number)
        ours, theirs = pair()
        self._processes[number] = subprocess.Popen(  # noqa: S603 - our own program
            [
                sys.executable,
                "-P",  # it is root, and the working directory is mail_owner's: nothing is imported from there
                "-m",
                "postroad.delivery.mailbox.helper",
                str(theirs.fileno()),
                *self._arguments,
            ],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
        )
        theirs.close()
        # Kept open for the channel to send; the next look closes it, so that an end of the worker's is
        # the only one.
        self._ends[number] = ours
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_LOOK_EVERY, self._look)
        return ours.fileno()

    def stop(self) -> None:
        """Wait a little until they have ended, the workers having gone; none is cut off while it writes."""
        self._stopping = True
        if self._timer is not None:
            self._timer.cancel()
        for number in list(self._processes):
            self._let_go(number)
        for process in self._leaving:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_END_TIME)

    def _look(self) -> None:
        for end in self._ends.values():
            end.close()
        self._ends.clear()
        self._leaving = [process for process in self._leaving if process.poll() is None]
        for number, process in list(self._processes.items()):
            status = process.poll()
            if status is not None:
                if status:  # 0: its worker has gone, or did not want it any more
                    self._log.emit(DIED, process.pid)
                self._replaced(number, self.start(number))
        self._timer = asyncio.get_running_loop().call_later(_LOOK_EVERY, self._look)

    def _let_go(self, number: int) -> None:
        end = self._ends.pop(number, None)
        if end is not None:
            end.close()
        process = self._processes.pop(number, None)
        if process is not None and process.poll() is None:
            self._leaving.append(process)
