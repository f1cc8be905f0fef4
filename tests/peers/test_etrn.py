"""ETRN and ``postqueue -s``: what waits for a site is tried at once, in every worker's part of the queue."""

from __future__ import annotations

from pathlib import Path

import pytest

from peers.harness import Postroad, message, until
from peers.nexthop import NextHop

pytestmark = pytest.mark.peer
_MAIN = """
relay_domains = ours.example, theirs.example
smtpd_etrn_restrictions = permit_mynetworks, reject
minimal_backoff_time = 1h
maximal_backoff_time = 1h
"""


def test_a_site_that_asks_gets_its_mail_and_others_wait(place: Path) -> None:
    with NextHop() as hop:
        hop.answers["RCPT"] = "450 4.2.0 not now"
        main = f"{_MAIN}relayhost = [127.0.0.1]:{hop.port}\n"
        with Postroad(place, main=main, workers=2) as server:
            for number in range(8):
                site = "OURS.example" if number % 2 else "theirs.example"
                server.send("s@client.example", f"u{number}@{site}", message(f"number {number}"))
            server.wait_log("status=deferred", 8)
            until(lambda: {each["queue_name"] for each in server.queue()} == {"deferred"})
            del hop.answers["RCPT"]
            with server.connect() as client:
                client.ehlo()
                assert client.docmd("ETRN", "other.example") == (459, b"<other.example>: service unavailable")
                assert client.docmd("ETRN", "ours.example") == (250, b"Queuing started")
            until(lambda: len(hop.accepted) == 4)
            assert all(each.recipients[0].endswith("@OURS.example") for each in hop.accepted)
            until(lambda: len(server.queue()) == 4)
            assert "warning: reject: ETRN other.example... from" in server.log()
            assert server.run("postqueue", "-s", "theirs.example").returncode == 0
            server.wait_empty()
            assert server.run("postqueue", "-s", "other.example").returncode == 69


def test_sendmail_bs_has_no_etrn(place: Path) -> None:
    with Postroad(place, main=_MAIN) as server:
        done = server.run("sendmail", "-bs", stdin="EHLO x\r\nETRN ours.example\r\nQUIT\r\n")
        assert "458 Unable to queue messages" in done.stdout
