"""What a service does while all its places are taken: other settings for new sessions (STRESS_README)."""

from __future__ import annotations

import socket
from collections.abc import Callable
from math import inf

from postroad.base.log import Event, Log

_FULL = Event(
    "master",
    'warning: service "%s" (%s) has reached its process limit "%s": new clients may experience noticeable'
    " delays",
    "All places of a service are taken.  New sessions have the settings of stress=yes for a while.",
    urgent=True,
)
_AVOID = Event(
    "master",
    "warning: to avoid this condition, increase the process count in master.cf or reduce the service time per"
    " client",
    "What helps against it.",
    urgent=True,
)
_READ = Event(
    "master",
    "warning: see http://www.postfix.org/STRESS_README.html for examples of stress-adapting configuration"
    " settings",
    "Where more is said of it.",
    urgent=True,
)
#: Seconds from the last time that all places were taken, as master(8) has it.
_LASTS = 1000.0


class Stress:
    """Whether a service is under stress.  ``time`` is a steady clock, ``limit`` the number of its places."""

    __slots__ = ("_limit", "_log", "_name", "_time", "_until")

    def __init__(self, name: str, limit: int, log: Log, time: Callable[[], float]) -> None:
        self._name = name
        self._limit = limit
        self._log = log
        self._time = time
        self._until = -inf

    def __bool__(self) -> bool:
        return self._time() < self._until

    def reached(self, first: bool) -> None:
        """All places are taken; ``first``: by a session of ours just now, so that the log has it once."""
        if first and not self:
            self._log.emit(_FULL, self._name, _port_of(self._name), self._limit)
            self._log.emit(_AVOID)
            self._log.emit(_READ)
        self._until = self._time() + _LASTS


def _port_of(name: str) -> str:
    port = name.rpartition(":")[2]
    if port.isdigit():
        return port
    try:
        return str(socket.getservbyname(port, "tcp"))
    except OSError:
        return port
