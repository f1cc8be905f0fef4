"""A bulk job to a slow next hop, and single messages to another: they wait as on an empty server."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from peers.harness import Postroad, message, until
from peers.programs import smtp_sink, smtp_source

pytestmark = pytest.mark.peer

BULK, SINGLES = 5000, 10


def delays(server: Postroad, name: str) -> list[float]:
    """Send single messages, one after the other; return how long each took to be delivered."""
    addresses = [f"{name}{number}@fast.example" for number in range(SINGLES)]
    for address in addresses:
        server.send("ann@client.example", address, message())
    found = server.wait_log(rf"to=<{name}\d+@fast\.example>.* status=sent", SINGLES, 60)
    return [float(re.search(r" delay=([\d.]+),", line)[1]) for line in found]  # type: ignore[index]


def test_single_messages_do_not_wait_for_the_bulk_of_another_destination(place: Path) -> None:
    with smtp_sink(place, "-w", "1") as slow, smtp_sink(place) as fast:
        routes = (
            f"transport_maps = inline:{{ slow.example=smtp:[127.0.0.1]:{slow.port},"
            f" fast.example=smtp:[127.0.0.1]:{fast.port} }}\n"
        )
        with Postroad(place, main=f"{routes}qmgr_message_active_limit = 1000") as server:
            empty = delays(server, "before")
            options = ["-s", "20", "-m", str(BULK), "-l", "2000", "-f", "bulk@client.example"]
            smtp_source(server.host, server.port, *options, "-t", "r@slow.example")
            server.wait_log(r"to=<r@slow\.example>.* status=sent", 20, 60)
            busy = delays(server, "beside")
            assert server.log().count("to=<r@slow.example>") < BULK  # the bulk was still under way
            assert max(busy) <= max(empty) + 10  # behind the bulk it would be a minute
            # What waited beyond the limit has not been forgotten.
            done = server.log().count("to=<r@slow.example>")
            until(lambda: server.log().count("to=<r@slow.example>") >= done + 100, 60)
            assert len(fast.messages()) == 2 * SINGLES


def test_all_that_has_waited_beyond_the_limit_is_delivered_once(place: Path) -> None:
    with smtp_sink(place) as sink:
        main = (
            f"relayhost = [127.0.0.1]:{sink.port}\nqmgr_message_active_limit = 40\n"
            "default_destination_concurrency_limit = 1\n"
        )
        with Postroad(place, main=main) as server:
            options = ["-s", "20", "-m", "2000", "-l", "2000", "-N", "-f", "bulk@client.example"]
            smtp_source(server.host, server.port, *options, "-t", "r@far.example")
            assert "queue active" in server.log()
            server.wait_log(r"status=sent", 2000, 60)
            server.wait_empty()
            recipients = re.findall(r"to=<(\d+r@far\.example)>.* status=sent", server.log())
            assert len(set(recipients)) == len(recipients) == 2000
            assert len(sink.messages()) == 2000
