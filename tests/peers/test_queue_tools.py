"""The queue tools against a running server: what they do to a message is what becomes of it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from peers.harness import Postroad, message, until
from peers.nexthop import NextHop

pytestmark = pytest.mark.peer
_ID = r"[0-9A-F]{10,}"
#: The interpreter may be where only root can read, so that everything is imported before.
_AS_USER = """
import os, pkgutil, sys
from importlib import import_module
import postroad.cli
from postroad.app.preload import preload
from postroad.cli.main import main
preload()
for module in pkgutil.iter_modules(postroad.cli.__path__, "postroad.cli."):
    import_module(module.name)
os.setgroups([])
os.setgid(12345)
os.setuid(12345)
sys.exit(main(["postroad", *sys.argv[1:]]))
"""


class Waiting:
    """A server with a next hop that takes nothing until ``open`` is called."""

    def __init__(self, server: Postroad, peer: NextHop) -> None:
        self.server = server
        self.peer = peer
        self.answer = "450 4.2.0 Later"

    def open(self) -> None:
        self.answer = "250 2.1.5 Ok"

    def deferred(self, subject: str) -> str:
        """Send a message and return its queue id when it is deferred."""
        known = {entry["queue_id"] for entry in self.server.queue()}
        self.server.send("s@client.example", ["x@far.example"], message(subject))
        (found,) = {entry["queue_id"] for entry in self.server.queue()} - known
        self.server.wait_log(f"{found}: to=<x@far.example>.*status=deferred")
        until(lambda: self.place(found) == "deferred")
        return str(found)

    def place(self, queue_id: str) -> str:
        """Return the queue in which a message is, "" when it is in none."""
        places = {entry["queue_id"]: entry["queue_name"] for entry in self.server.queue()}
        return places.get(queue_id, "")

    def super(self, *arguments: str, stdin: str = "") -> str:
        """Run postsuper; return what it said."""
        done = self.server.run("postsuper", *arguments, stdin=stdin)
        assert done.returncode == 0, done.stderr
        return done.stderr

    def subjects(self) -> list[str]:
        """Return the subjects of what the next hop took."""
        found = []
        for each in self.peer.accepted:
            if each.recipients:
                found += re.findall(r"^Subject: (.*?)\r$", each.content.decode(), re.MULTILINE)
        return sorted(found)


@pytest.fixture
def waiting(place: Path) -> Iterator[Waiting]:
    with NextHop() as peer, Postroad(place, main=f"relayhost = [127.0.0.1]:{peer.port}", workers=2) as server:
        made = Waiting(server, peer)
        peer.answers["RCPT"] = lambda _line: made.answer
        yield made


def test_hold_keeps_a_message_and_release_lets_it_go(waiting: Waiting) -> None:
    queue_id = waiting.deferred("held")
    said = waiting.super("-h", queue_id)
    assert f"postsuper: {queue_id}: placed on hold\n" in said
    assert "Placed on hold: 1 message" in said
    assert waiting.place(queue_id) == "hold"
    waiting.open()
    assert waiting.server.run("postqueue", "-f").returncode == 0
    waiting.server.send("s@client.example", ["x@far.example"], message("another"))
    until(lambda: waiting.subjects() == ["another"])
    assert waiting.place(queue_id) == "hold", "a flush does not take what is held"
    assert "Released from hold: 1 message" in waiting.super("-H", queue_id)
    waiting.server.run("postqueue", "-f")
    until(lambda: waiting.subjects() == ["another", "held"])
    waiting.server.wait_empty()


def test_requeue_tries_again_at_once(waiting: Waiting) -> None:
    queue_id = waiting.deferred("again")
    waiting.open()
    assert "Requeued: 1 message" in waiting.super("-r", queue_id)
    until(lambda: waiting.subjects() == ["again"])


def test_delete_removes_without_a_bounce(waiting: Waiting) -> None:
    first, second = waiting.deferred("first"), waiting.deferred("second")
    said = waiting.super("-d", first)
    assert f"postsuper: {first}: removed\n" in said
    assert "Deleted: 1 message" in said
    assert (waiting.place(first), waiting.place(second)) == ("", "deferred")
    assert "Deleted: 1 message" in waiting.super("-d", "-", stdin=f"{first}\n{second}\n")
    assert waiting.server.queue() == []
    waiting.open()
    waiting.server.run("postqueue", "-f")
    waiting.server.send("s@client.example", ["x@far.example"], message("last"))
    until(lambda: waiting.subjects() == ["last"])


def test_all_means_all_messages_of_all_workers(waiting: Waiting) -> None:
    ids = [waiting.deferred(f"number {number}") for number in range(4)]
    assert "Placed on hold: 4 messages" in waiting.super("-h", "ALL")
    assert {waiting.place(queue_id) for queue_id in ids} == {"hold"}
    assert "Deleted: 4 messages" in waiting.super("-d", "ALL", "hold")
    assert waiting.server.queue() == []


def test_flushing_one_message_leaves_the_others(waiting: Waiting) -> None:
    first, second = waiting.deferred("first"), waiting.deferred("second")
    waiting.open()
    assert waiting.server.run("postqueue", "-i", first).returncode == 0
    until(lambda: waiting.subjects() == ["first"])
    assert waiting.place(second) == "deferred"
    assert waiting.server.run("postqueue", "-f").returncode == 0
    until(lambda: waiting.subjects() == ["first", "second"])


def test_flushing_a_site_leaves_the_others(waiting: Waiting) -> None:
    waiting.server.configure("fast_flush_domains = far.example, near.example")
    waiting.server.reload()
    queue_id = waiting.deferred("for far")
    waiting.open()
    assert waiting.server.run("postqueue", "-s", "near.example").returncode == 0
    assert waiting.place(queue_id) == "deferred"
    assert waiting.server.run("postqueue", "-s", "far.example").returncode == 0
    until(lambda: waiting.subjects() == ["for far"])


def test_mailq_lists_what_waits_and_why(waiting: Waiting) -> None:
    assert waiting.server.run("mailq").stdout == "Mail queue is empty\n"
    queue_id = waiting.deferred("listed")
    shown = waiting.server.run("mailq").stdout
    assert shown.startswith("----Queue ID-----")
    assert re.search(
        rf"^{queue_id} +\d+ \w{{3}} \w{{3}} +\d+ [\d:]{{8}} +s@client.example$", shown, re.MULTILINE
    )
    assert "450 4.2.0 Later" in shown
    assert re.search(r"^ +x@far.example$", shown, re.MULTILINE)
    assert re.search(r"^-- \d+ Kbytes in 1 Request\.$", shown, re.MULTILINE)
    (entry,) = waiting.server.queue()
    assert entry["sender"] == "s@client.example"
    assert entry["recipients"][0]["address"] == "x@far.example"
    assert "450 4.2.0 Later" in entry["recipients"][0]["delay_reason"]


def test_postcat_shows_envelope_headers_and_body(waiting: Waiting) -> None:
    queue_id = waiting.deferred("shown")
    shown = waiting.server.run("postcat", "-q", queue_id).stdout
    assert "sender: s@client.example\n" in shown
    assert "recipient: x@far.example\n" in shown
    assert "Subject: shown\n" in shown
    assert "Hello.\n" in shown
    assert "Hello." not in waiting.server.run("postcat", "-hq", queue_id).stdout
    assert waiting.server.run("postcat", "-bq", queue_id).stdout.strip() == "Hello."


def test_expire_returns_a_message_to_its_sender(waiting: Waiting) -> None:
    waiting.server.send("alice@example.test", ["x@far.example"], message("expired"))
    waiting.server.wait_log("status=deferred")
    (entry,) = waiting.server.queue()
    until(lambda: waiting.place(entry["queue_id"]) == "deferred")
    assert "Force-expired: 1 message" in waiting.super("-e", entry["queue_id"])
    waiting.server.run("postqueue", "-i", entry["queue_id"])
    (notice,) = waiting.server.wait_mail("alice")
    assert b"multipart/report" in notice
    assert b"Subject: expired" in notice
    waiting.server.wait_empty()


def test_the_tools_work_while_the_server_is_down(waiting: Waiting) -> None:
    queue_id = waiting.deferred("kept")
    waiting.server.stop()
    done = waiting.server.run("postqueue", "-p")
    assert queue_id in done.stdout
    assert "Mail system is down" in done.stderr
    assert "Placed on hold: 1 message" in waiting.super("-h", queue_id)
    assert waiting.server.run("postqueue", "-f").returncode == 69
    waiting.server.start()
    assert waiting.place(queue_id) == "hold"
    waiting.open()
    assert "Requeued: 1 message" in waiting.super("-r", queue_id)
    until(lambda: waiting.subjects() == ["kept"])


@pytest.mark.skipif(os.geteuid() != 0, reason="becoming another user takes root")
def test_any_user_may_send_and_list_but_not_change(waiting: Waiting) -> None:
    def as_user(tool: str, *rest: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        words = [sys.executable, "-c", _AS_USER, tool, "-c", str(waiting.server.etc), *rest]
        return subprocess.run(words, input=stdin, capture_output=True, text=True, timeout=30)

    text = "Subject: by a user\n\nHello.\n"
    sent = as_user("sendmail", "-f", "s@client.example", "x@far.example", stdin=text)
    assert (sent.returncode, sent.stderr) == (0, "")
    waiting.server.wait_log("status=deferred")
    listed = as_user("mailq")
    assert listed.returncode == 0, listed.stderr
    queue_id = re.search(rf"^{_ID}", listed.stdout, re.MULTILINE)
    assert queue_id
    refused = as_user("postsuper", "-d", queue_id[0])
    assert refused.returncode == 1
    assert "reserved for the superuser" in refused.stderr
    assert waiting.place(queue_id[0])
    waiting.open()
    assert as_user("postqueue", "-f").returncode == 0
    until(lambda: waiting.subjects() == ["by a user"])


def test_sendmail_hands_in_a_message(place: Path) -> None:
    with Postroad(place) as server:
        text = "To: alice@example.test\nSubject: from a script\n\nOne.\n.\nTwo.\n"
        done = server.run("sendmail", "-i", "-t", "-f", "bob@example.test", stdin=text)
        assert (done.returncode, done.stderr) == (0, "")
        (kept,) = server.wait_mail("alice")
        assert kept.endswith(b"One.\n.\nTwo.\n")
        assert b"Return-Path: <bob@example.test>" in kept
        assert re.search(rb"^Message-ID: <.+>$", kept, re.MULTILINE | re.IGNORECASE)
        done = server.run(
            "sendmail", "-f", "bob@example.test", "alice@example.test", stdin="Ends\n.\nunseen\n"
        )
        assert done.returncode == 0
        assert b"unseen" not in server.wait_mail("alice", 2)[1]
