"""A content filter behind the queue, as amavis is one: all mail passes it, whatever becomes of it."""

from __future__ import annotations

import os
import re
import threading
import time
from pathlib import Path

import pytest

from peers.harness import Postroad, free_port, message, until
from peers.nexthop import SHORT
from peers.reinjector import reinjector

pytestmark = pytest.mark.peer
_BACK = """\
{back} inet n - n - - smtpd
  -o content_filter= -o syslog_name=postfix/back
  -o receive_override_options=no_unknown_recipient_checks,no_address_mappings
  -o smtpd_authorized_xforward_hosts=127.0.0.0/8
scan unix - - n - 10 smtp -o smtp_send_xforward_command=yes
"""


def filtered(place: Path, port: int, back: int, main: str = "", **options: object) -> Postroad:
    """Return a server whose mail goes by a filter on ``port`` and comes back on ``back``."""
    text = f"{SHORT}content_filter = scan:[127.0.0.1]:{port}\n{main}"
    return Postroad(place, main=text, master=_BACK.replace("{back}", str(back)), **options)  # type: ignore[arg-type]


def test_mail_goes_to_its_mailbox_by_the_filter(place: Path) -> None:
    port, back = free_port(), free_port()
    aliases = "virtual_alias_maps = inline:{{both@example.test=alice@example.test, bob@example.test}}\n"
    with reinjector(back, port), filtered(place, port, back, aliases) as server:
        server.send("s@client.example", "both@example.test", message())
        done = server.run(
            "sendmail", "-f", "s@client.example", "alice@example.test", stdin="Subject: local\n\nx\n"
        )
        assert done.returncode == 0
        first, second = server.wait_mail("alice", 2)
        assert b"X-Filtered: from=<s@client.example> to=<" in first
        assert b"X-Filtered:" in second
        [copy] = server.wait_mail("bob")
        assert copy.count(b"X-Filtered:") == 1
        server.wait_empty()
        assert f"relay=127.0.0.1[127.0.0.1]:{port}" in server.log()
        assert re.search(r"orig_queue_id=[0-9A-F]{15}, orig_client=unknown\[127.0.0.1\]", server.log())


def test_what_the_filter_refuses_bounces_and_the_bounce_is_not_filtered(place: Path) -> None:
    port, back = free_port(), free_port()
    with reinjector(back, port), filtered(place, port, back) as server:
        server.send("bob@example.test", "alice@example.test", message("virus"))
        [notice] = server.wait_mail("bob")
        assert b"there is a virus in it" in notice
        assert b"X-Filtered" not in notice
        server.wait_empty()
        assert server.mailbox("alice") == []


def test_a_filter_that_is_away_defers_and_what_is_requeued_goes_by_the_newest_setting(place: Path) -> None:
    port, other, back = free_port(), free_port(), free_port()
    with filtered(place, port, back, "minimal_backoff_time = 1h\nmaximal_backoff_time = 1h\n") as server:
        server.send("s@client.example", "alice@example.test", message())
        server.wait_log("status=deferred .*Connection refused")
        [waiting] = server.queue()
        shown = server.run("postcat", "-q", "-e", str(waiting["queue_id"])).stdout
        assert f"content_filter: scan:[127.0.0.1]:{port}\n" in shown
        server.configure(f"content_filter = scan:[127.0.0.1]:{other}")
        with reinjector(back, other):
            assert server.reload().returncode == 0
            assert server.run("postsuper", "-r", "ALL").returncode == 0
            [found] = server.wait_mail("alice")
            assert b"X-Filtered:" in found
            server.wait_empty()


def test_nothing_is_lost_or_left_unfiltered_when_the_filter_is_killed_again_and_again(place: Path) -> None:
    port, back, count = free_port(), free_port(), 60
    with reinjector(back, port) as filtering, filtered(place, port, back, workers=2) as server:
        folder = server.mail / "alice/new"

        def delivered() -> int:
            return len(os.listdir(folder)) if folder.exists() else 0

        def load(part: int) -> None:
            for number in range(part, count, 3):
                server.send("s@client.example", "alice@example.test", message(f"number {number}"))

        senders = [threading.Thread(target=load, args=(part,)) for part in range(3)]
        for each in senders:
            each.start()
        for enough in (5, 20, 40):
            until(lambda enough=enough: delivered() >= enough, 30, every=0.001)
            filtering.kill()
            until(lambda: "status=deferred" in server.log())  # some are refused
            time.sleep(0.2)
            filtering.start()
        for each in senders:
            each.join()

        def subjects() -> set[bytes]:
            found = [re.search(rb"Subject: (number \d+)", each) for each in server.mailbox("alice")]
            return {each[1] for each in found if each is not None}

        until(lambda: len(subjects()) == count, 40, lambda: f"{len(subjects())} of {count}")
        server.wait_empty(30)
        # one killed between the two answers has handed on what is sent again: twice, and never without
        assert all(b"X-Filtered:" in each for each in server.mailbox("alice"))
        assert "status=bounced" not in server.log()
        assert "status=deferred" in server.log()
