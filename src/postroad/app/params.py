"""Parameters of the program as a whole: its processes and its control socket."""

from __future__ import annotations

from postroad.base.kinds import INT, STRING, TIME
from postroad.base.params import Group

params = Group("app")

WORKER_PROCESSES = params.declare(
    "worker_processes",
    INT,
    "0",
    "How many workers share the work; 0 for one per core.",
    low=0,
    high=64,
    own=True,
    live=False,
)
CONTROL_SOCKET = params.declare(
    "control_socket",
    STRING,
    "$queue_directory/control",
    "The control socket of the running server.",
    own=True,
    live=False,
)
SHUTDOWN_TIME = params.declare(
    "shutdown_time_limit",
    TIME,
    "30s",
    "How long a stopping server waits for what is under way.",
    low=1,
    own=True,
)
