"""Whether there is room for one more message in the queue's file system."""

from __future__ import annotations

import os
from collections.abc import Callable

from postroad.base.clock import Clock
from postroad.base.log import Log
from postroad.base.params import Settings
from postroad.intake import params
from postroad.model import params as model

_KEPT = 1.0  # seconds that an answer of the file system stays good
_FACTOR = 1.5  # messages of the largest size that must fit, as in Postfix


def free_bytes(directory: str) -> int:
    """Return what an ordinary user may still write to the file system of a directory."""
    found = os.statvfs(directory)
    return found.f_bavail * found.f_frsize


class Space:
    """Answers for one queue directory, asking the file system at most once a second."""

    __slots__ = ("_ask", "_asked", "_clock", "_directory", "_floor", "_free", "_log")

    def __init__(self, settings: Settings, log: Log, clock: Clock, ask: Callable[[str], int] = free_bytes) -> None:  # fmt: skip  # noqa: E501
        self._directory = settings[model.QUEUE_DIRECTORY]
        self._floor = max(settings[params.QUEUE_MINFREE], settings[model.MESSAGE_SIZE_LIMIT] * _FACTOR)
        self._log = log
        self._clock = clock
        self._ask = ask
        self._asked = float("-inf")
        self._free = 0

    def has(self, size: int = 0) -> bool:
        """Return whether a message of ``size`` bytes (0 when not known) may come.

        A file system that cannot be asked counts as full: better later than lost.
        """
        now = self._clock.steady()
        if not 0 <= now - self._asked < _KEPT:
            self._asked = now
            self._free = self._look()
        if self._free > self._floor and self._free > size:
            return True
        self._log.warning(
            "smtpd",
            f"not enough free space in mail queue: {self._free} bytes < {_FACTOR:g}*message size limit",
        )
        return False

    def _look(self) -> int:
        try:
            return self._ask(self._directory)
        except OSError as error:
            self._log.warning("smtpd", f"cannot find the free space of {self._directory}: {error.strerror}")
            return 0
