"""The disk of the queue fills up: clients are told to come back, nothing is lost, and it heals by itself."""

from __future__ import annotations

import contextlib
import os
import random
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from faults.load import Client, Ledger, Load, far_end, letter
from peers.harness import Postroad, message, until
from peers.nexthop import NextHop

pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system takes root"),
]
_MAIN = """\
message_size_limit = 2000000
minimal_backoff_time = 1s
maximal_backoff_time = 1s
queue_run_delay = 1s
"""
_LARGE = 1_000_000


class Disk:
    """A small file system that is the server's queue directory."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._filler = path / "filler"

    def fill(self) -> None:
        """Leave not one byte."""
        with self._filler.open("ab", buffering=0) as file:
            size = 1 << 20
            while size:
                try:
                    file.write(b"\0" * size)
                except OSError:
                    size //= 2

    def empty(self) -> None:
        self._filler.unlink(missing_ok=True)


@contextlib.contextmanager
def small_disk(server: Postroad, megabytes: int = 24) -> Iterator[Disk]:
    path = server.work / "queue"
    options = f"size={megabytes}m,mode=755,uid=65534,gid=65534"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(path)], check=True)
    try:
        yield Disk(path)
    finally:
        subprocess.run(["umount", "-l", str(path)], check=True)


@pytest.fixture
def disk(place: Path) -> Iterator[tuple[Postroad, Disk]]:
    server = Postroad(place, main=_MAIN)
    with small_disk(server) as disk, server:
        server.wait_log("daemon started")
        yield server, disk


def session(server: Postroad) -> Client:
    client = Client((server.host, server.port))
    assert client.command("EHLO client.example").startswith("250")
    return client


def test_mail_is_refused_for_now_while_the_disk_is_full(disk: tuple[Postroad, Disk]) -> None:
    server, small = disk
    again = message("Space is back")
    with session(server) as client:
        small.fill()
        assert client.command("MAIL FROM:<s@client.example>").startswith("452 4.3.1 ")
        assert client.command("NOOP").startswith("250")
        small.empty()
        # The file system is asked at most once a second.
        until(lambda: client.send("s@client.example", "alice@example.test", again).startswith("250"), 30)
    (kept,) = server.wait_mail("alice")
    assert b"Space is back" in kept


@pytest.mark.parametrize("size", [2000, _LARGE])
def test_a_disk_that_fills_during_data_refuses_at_the_dot(disk: tuple[Postroad, Disk], size: int) -> None:
    server, small = disk
    with session(server) as client:
        assert client.begin("s@client.example", "alice@example.test").startswith("354")
        small.fill()
        client.socket.sendall(letter("refused", "alice@example.test", size) + b".\r\n")
        assert client.reply()[:9] in ("451 4.3.0", "452 4.3.1")
        assert client.command("NOOP").startswith("250")
        small.empty()
        said = client.send("s@client.example", "alice@example.test", letter("again", "alice@x", size))
        assert said.startswith("250")
    (kept,) = server.wait_mail("alice")
    assert b"<again@" in kept
    server.wait_empty()
    assert server.mailbox("alice") == [kept]
    assert list(small.path.glob("shard-*/bodies/*")) == [], "what was refused leaves no file behind"


def test_what_is_delivered_while_the_disk_is_full_is_delivered_once(disk: tuple[Postroad, Disk]) -> None:
    server, small = disk
    said = ["450 4.2.0 Later"]
    with NextHop(answers={"RCPT": lambda _line: said[0]}) as peer:
        server.configure(f"relayhost = [127.0.0.1]:{peer.port}")
        assert server.reload().returncode == 0
        server.send("s@client.example", ["x@far.example"], message("Waits"))
        server.wait_log("status=deferred")
        small.fill()
        said[0] = "250 2.1.5 Ok"
        # It may be sent at once, or wait until the disk can be written; but never twice.
        time.sleep(2.5)
        small.empty()
        server.wait_empty()
        assert len([each for each in peer.accepted if each.recipients]) == 1


def test_nothing_is_lost_while_the_disk_fills_and_empties_under_load(place: Path) -> None:
    with far_end(random.Random(3)) as sink:
        server = Postroad(place, main=f"{_MAIN}relayhost = [127.0.0.1]:{sink.port}")
        with small_disk(server) as small, server:
            server.wait_log("daemon started")
            with Load((server.host, server.port), clients=4, large=30) as load:
                for _ in range(3):
                    taken, said = len(load.acknowledged), load.refused.total()
                    until(lambda taken=taken: len(load.acknowledged) > taken)
                    small.fill()
                    until(lambda said=said: load.refused.total() > said)
                    small.empty()
                before = len(load.acknowledged)
                until(lambda: len(load.acknowledged) > before + 20)
            until(lambda: not server.queue(), 30, lambda: f"{len(server.queue())} still queued", 0.3)
            books = Ledger(load.acknowledged)
            books.look(server, sink)
            assert load.refused, "the disk was never full"
            assert {said[:9] for said in load.refused} <= {"451 4.3.0", "452 4.3.1"}
            assert (books.lost, books.damaged, books.wrong) == ([], [], [])
            assert books.duplicates == 0, "no process died: nothing may come twice"
