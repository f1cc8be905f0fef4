"""The smallest journey: if this fails, the others say nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from peers.harness import Postroad, message, until
from peers.nexthop import NextHop

pytestmark = pytest.mark.peer


def test_a_message_reaches_a_maildir_and_the_log_tells_so(place: Path) -> None:
    with Postroad(place) as server:
        assert server.send("s@client.example", ["alice@example.test"], message("First")) == {}
        (kept,) = server.wait_mail("alice")
        assert b"Subject: First" in kept
        server.wait_log(r"virtual\[\d+\]: \w+: to=<alice@example.test>, relay=virtual, .*status=sent")
        server.wait_empty()
    assert server.process is None


def test_a_message_reaches_a_next_hop(place: Path) -> None:
    with NextHop() as peer, Postroad(place, main=f"relayhost = [127.0.0.1]:{peer.port}") as server:
        server.send("s@client.example", ["x@far.example"], message("Far"))
        until(lambda: peer.accepted)
        assert peer.accepted[0].recipients == ["x@far.example"]


def test_killed_and_started_again_it_serves(place: Path) -> None:
    with Postroad(place) as server:
        server.kill9()
        server.start()
        server.send("s@client.example", ["bob@example.test"], message())
        server.wait_mail("bob")
