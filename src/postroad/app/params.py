"""Parameters of the program as a whole: its processes and its control socket."""

from __future__ import annotations

from postroad.base.kinds import INT, LIST, STRING, TIME
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

# --- where probes of addresses go, if not where mail goes
VERIFY_DEFAULT_TRANSPORT = params.declare(
    "address_verify_default_transport", STRING, "$default_transport", "default_transport, for probes."
)
VERIFY_LOCAL_TRANSPORT = params.declare(
    "address_verify_local_transport", STRING, "$local_transport", "local_transport, for probes."
)
VERIFY_RELAY_TRANSPORT = params.declare(
    "address_verify_relay_transport", STRING, "$relay_transport", "relay_transport, for probes."
)
VERIFY_VIRTUAL_TRANSPORT = params.declare(
    "address_verify_virtual_transport", STRING, "$virtual_transport", "virtual_transport, for probes."
)
VERIFY_RELAYHOST = params.declare("address_verify_relayhost", STRING, "$relayhost", "relayhost, for probes.")
VERIFY_TRANSPORT_MAPS = params.declare(
    "address_verify_transport_maps", LIST, "$transport_maps", "transport_maps, for probes."
)
VERIFY_SENDER_RELAYHOST_MAPS = params.declare(
    "address_verify_sender_dependent_relayhost_maps",
    LIST,
    "$sender_dependent_relayhost_maps",
    "sender_dependent_relayhost_maps, for probes.",
)
VERIFY_SENDER_TRANSPORT_MAPS = params.declare(
    "address_verify_sender_dependent_default_transport_maps",
    LIST,
    "$sender_dependent_default_transport_maps",
    "sender_dependent_default_transport_maps, for probes.",
)
