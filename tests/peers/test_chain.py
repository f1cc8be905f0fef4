"""Mail goes from server to server by MX records, past hosts that are dead."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from peers.harness import Postroad, free_port, message, until
from peers.nexthop import NextHop
from peers.programs import nsd

pytestmark = pytest.mark.peer


def test_mail_goes_through_a_sending_and_a_relaying_server_to_a_mailbox(place: Path) -> None:
    port = free_port()
    # From outside, relay.test leads to the relay; inside, its own DNS knows where the mailboxes are.
    outside = {
        "mail.test": "@ MX 5 dead\n@ MX 10 relay\n@ MX 20 gone\ndead A 127.0.0.41\nrelay A 127.0.0.42\n"
    }
    inside = {"mail.test": "@ MX 1 gone\n@ MX 5 dead\n@ MX 5 box\ndead A 127.0.0.41\nbox A 127.0.0.43\n"}
    (place / "in").mkdir()
    common = f"smtp_tcp_port = {port}\n"
    with (
        nsd(place, outside) as dns_out,
        nsd(place / "in", inside) as dns_in,
        Postroad(place, name="box", host="127.0.0.43", port=port, domain="mail.test"),
        Postroad(
            place,
            name="relay",
            host="127.0.0.42",
            port=port,
            main=f"{common}resolver_addresses = {dns_in}\nrelay_domains = mail.test",
        ) as relay,
        Postroad(
            place, name="send", host="127.0.0.44", main=f"{common}resolver_addresses = {dns_out}"
        ) as sending,
    ):
        box = place / "box/mail/alice/new"
        sending.send("s@client.example", ["alice@mail.test"], message("Through three"))
        until(lambda: box.exists() and list(box.iterdir()), 30, lambda: sending.log() + relay.log())
        (file,) = box.iterdir()
        kept = file.read_bytes()
        received = [line for line in kept.splitlines() if line.startswith(b"Received: from")]
        assert [line.split()[2] for line in received] == [
            b"relay.example.test",
            b"send.example.test",
            b"client.example",
        ]
        sending.wait_log(r"connect to dead\.mail\.test\[127\.0\.0\.41\]:\d+: Connection refused")
        sending.wait_log(
            r"to=<alice@mail\.test>, relay=relay\.mail\.test\[127\.0\.0\.42\]:\d+, .*status=sent"
        )
        relay.wait_log(r"to=<alice@mail\.test>, relay=box\.mail\.test\[127\.0\.0\.43\]:\d+, .*status=sent")
        sending.wait_empty()
        relay.wait_empty()


def test_hosts_of_equal_preference_share_the_mail(place: Path) -> None:
    with NextHop("127.0.0.51") as one, NextHop("127.0.0.52", one.port) as two:
        zone = {"even.test": "@ MX 10 a\n@ MX 10 b\na A 127.0.0.51\nb A 127.0.0.52\n"}
        main = f"smtp_tcp_port = {one.port}\nsmtp_connection_cache_on_demand = no\n"
        with nsd(place, zone) as dns, Postroad(place, main=f"{main}resolver_addresses = {dns}") as server:
            for number in range(24):
                server.send("s@client.example", [f"r{number}@even.test"], message())
            until(lambda: len(one.accepted) + len(two.accepted) == 24)
            assert len(one.accepted) > 2  # each chance is one in 2**20
            assert len(two.accepted) > 2


def test_a_better_host_is_preferred(place: Path) -> None:
    with NextHop("127.0.0.53") as best, NextHop("127.0.0.54", best.port) as other:
        zone = {"order.test": "@ MX 20 b\n@ MX 10 a\na A 127.0.0.53\nb A 127.0.0.54\n"}
        main = f"smtp_tcp_port = {best.port}\n"
        with nsd(place, zone) as dns, Postroad(place, main=f"{main}resolver_addresses = {dns}") as server:
            for number in range(5):
                server.send("s@client.example", [f"r{number}@order.test"], message())
            until(lambda: len(best.accepted) == 5)
            assert other.accepted == []


def test_a_domain_without_mx_is_reached_at_its_address(place: Path) -> None:
    with NextHop("127.0.0.55") as peer:
        zone = {"plain.test": "@ A 127.0.0.55\nalias CNAME mx\nmx MX 1 host\nhost A 127.0.0.55\n"}
        main = f"smtp_tcp_port = {peer.port}\n"
        with nsd(place, zone) as dns, Postroad(place, main=f"{main}resolver_addresses = {dns}") as server:
            server.send("s@client.example", ["one@plain.test"], message())
            server.send("s@client.example", ["two@alias.plain.test"], message())
            until(lambda: len(peer.accepted) == 2, 30, server.log)


def test_mail_that_only_a_literal_names_goes_there(place: Path) -> None:
    with NextHop("127.0.0.56") as peer, Postroad(place, main=f"smtp_tcp_port = {peer.port}") as server:
        server.send("s@client.example", ["one@[127.0.0.56]"], message())
        until(lambda: len(peer.accepted) == 1, 30, server.log)


_BOUNCED, _DEFERRED = r", status=bounced \(", r", status=deferred \("
_NOT_FOUND = r"Host or domain name not found\. Name service error for name="
TOLD = {
    "null.dead.test": rf"dsn=5\.1\.0{_BOUNCED}Domain null\.dead\.test does not accept mail \(nullMX\)\)",
    "absent.dead.test": rf"dsn=5\.4\.4{_BOUNCED}{_NOT_FOUND}absent\.dead\.test type=A: Host not found\)",
    "loop.dead.test": rf"dsn=5\.4\.6{_BOUNCED}mail for loop\.dead\.test loops back to myself\)",
    "empty.dead.test": rf"dsn=5\.4\.4{_BOUNCED}{_NOT_FOUND}nothing\.dead\.test type=A: Host not found\)",
    "elsewhere.test": rf"dsn=4\.4\.3{_DEFERRED}{_NOT_FOUND}elsewhere\.test type=MX: .*, try again\)",
}


def test_a_domain_that_cannot_be_mailed_is_told_why(place: Path) -> None:
    records = "null MX 0 .\nloop MX 1 us\nus A 127.0.0.1\nempty MX 1 nothing\n"
    # Postfix looks for itself among the hosts only on port 25.
    with (
        nsd(place, {"dead.test": records}) as dns,
        Postroad(place, main=f"resolver_addresses = {dns}") as server,
    ):
        server.send("alice@example.test", [f"r@{domain}" for domain in TOLD], message())
        for domain, text in TOLD.items():
            (line,) = server.wait_log(rf"to=<r@{re.escape(domain)}>", seconds=30)
            assert re.search(text, line)
        (notice,) = server.wait_mail("alice")
        assert b"Undelivered Mail Returned to Sender" in notice
        for domain, text in TOLD.items():
            assert (f"r@{domain}".encode() in notice.partition(b"message/rfc822")[0]) is ("bounced" in text)
        (left,) = server.queue()
        assert left["queue_name"] == "deferred"
        assert [each["address"] for each in left["recipients"]] == ["r@elsewhere.test"]
