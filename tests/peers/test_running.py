"""A server's life: reload, stop, a second server, a worker that dies, fewer workers, large messages."""

from __future__ import annotations

import os
import signal
import smtplib
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from peers.harness import Postroad, message, until
from peers.nexthop import NextHop

pytestmark = pytest.mark.peer
_RETRY = "minimal_backoff_time = 1s\nmaximal_backoff_time = 1s\nqueue_run_delay = 1s\n"


def greeting(server: Postroad) -> str:
    client = smtplib.SMTP(timeout=30)
    try:
        return client.connect(server.host, server.port)[1].decode()
    finally:
        client.close()


# --- reload


def test_a_session_outlives_a_reload_and_a_new_one_sees_the_new_settings(place: Path) -> None:
    with Postroad(place) as server:
        with server.connect() as client:
            client.ehlo()
            assert client.mail("s@client.example")[0] == 250
            server.configure("smtpd_banner = renewed.example ESMTP")
            done = server.reload()
            assert (done.returncode, done.stderr) == (0, "")
            assert greeting(server) == "renewed.example ESMTP"
            assert client.rcpt("alice@example.test")[0] == 250
            assert client.data(message("Across a reload"))[0] == 250
        (kept,) = server.wait_mail("alice")
        assert b"Across a reload" in kept


def test_a_reload_with_problems_prints_them_and_changes_nothing(place: Path) -> None:
    with Postroad(place, main="smtpd_banner = first.example ESMTP") as server:
        server.configure("smtpd_banner = second.example ESMTP\nmessage_size_limit = much")
        done = server.reload()
        assert done.returncode == 1
        assert "main.cf" in done.stderr
        assert "message_size_limit" in done.stderr
        assert "much" in done.stderr
        assert greeting(server) == "first.example ESMTP"
        server.wait_log("warning: reload refused: .*message_size_limit")
        server.send("s@client.example", ["alice@example.test"], message())
        server.wait_mail("alice")


def test_sighup_reloads(place: Path) -> None:
    with Postroad(place, main="smtpd_banner = first.example ESMTP") as server:
        server.wait_log("daemon started")
        server.configure("smtpd_banner = second.example ESMTP")
        os.kill(server.pid, signal.SIGHUP)
        until(lambda: greeting(server) == "second.example ESMTP")


def test_a_reload_opens_and_closes_ports(place: Path) -> None:
    from peers.harness import free_port, listening

    other = free_port()
    with Postroad(place) as server:
        plain = (server.etc / "master.cf").read_text()
        server.write("master.cf", f"{plain}{other} inet n - n - - smtpd -o smtpd_banner=other.example\n")
        assert server.reload().returncode == 0
        client = smtplib.SMTP(timeout=30)
        assert client.connect(server.host, other) == (220, b"other.example")
        server.write("master.cf", plain)
        assert server.reload().returncode == 0
        assert (server.host, other) not in listening()
        assert client.noop()[0] == 250, "a session goes on when its port is given up"
        client.close()


# --- starting and stopping


def test_a_second_server_on_the_same_queue_is_refused_with_the_pid(place: Path) -> None:
    with Postroad(place) as server:
        for arguments in (["start"], ["start", "--foreground"]):
            done = server.run(*arguments)
            assert done.returncode == 1
            assert str(server.pid) in done.stderr
        server.send("s@client.example", ["alice@example.test"], message())
        server.wait_mail("alice")


def test_start_stop_and_status_in_the_background(place: Path) -> None:
    server = Postroad(place)

    def command(*words: str) -> int:
        return subprocess.run(
            [sys.executable, "-m", "postroad", *words, "-c", str(server.etc)],
            timeout=30,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ).returncode

    assert command("status") == 1
    assert command("start") == 0
    try:
        assert command("status") == 0
        server.send("s@client.example", ["alice@example.test"], message())
        server.wait_mail("alice")
    finally:
        assert command("stop") == 0
    assert command("status") == 1
    assert command("stop") == 1


def test_stopping_ends_a_session_in_data_and_queues_nothing_of_it(place: Path) -> None:
    with Postroad(place, main="shutdown_time_limit = 2s") as server:
        client = server.connect(timeout=30)
        client.ehlo()
        client.mail("s@client.example")
        client.rcpt("alice@example.test")
        assert client.docmd("DATA")[0] == 354
        client.send("Subject: half a message\r\n\r\nIt has no end")
        begun = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - begun < 30
        last = client.sock.recv(1000)
        assert last == b"" or last.startswith(b"421 "), last
        client.close()
        assert server.queue() == []


def test_a_message_that_is_being_delivered_at_the_stop_is_delivered_later(place: Path) -> None:
    answer = ["(silent)"]
    with NextHop(answers={".": lambda _line: answer[0]}) as peer:
        main = f"relayhost = [127.0.0.1]:{peer.port}\nshutdown_time_limit = 1s\n{_RETRY}"
        with Postroad(place, main=main) as server:
            server.send("s@client.example", ["x@far.example"], message("Slow"))
            until(lambda: peer.received)
            assert server.stop() == 0
            answer[0] = "250 2.0.0 Kept"
            server.start()
            until(lambda: peer.accepted)
            server.wait_empty()


# --- workers


def test_a_worker_that_is_killed_is_replaced(place: Path) -> None:
    with Postroad(place, workers=2) as server:
        server.wait_log("daemon started")
        before = server.pids("postroad.app.worker")
        assert len(before) == 2
        os.kill(before[0], signal.SIGKILL)
        until(lambda: len(set(server.pids("postroad.app.worker")) - set(before)) == 1)
        server.wait_log(f"warning: process .* pid {before[0]} killed by signal 9")
        for _ in range(8):  # on either worker
            server.send("s@client.example", ["alice@example.test"], message())
        server.wait_mail("alice", 8)


def test_mail_of_a_worker_that_is_no_more_is_delivered_by_another(place: Path) -> None:
    answer = ["450 4.2.0 Later"]
    with NextHop(answers={"RCPT": lambda _line: answer[0]}) as peer:
        main = f"relayhost = [127.0.0.1]:{peer.port}\n{_RETRY}"
        with Postroad(place, main=main, workers=2) as server:
            sent: list[int] = []

            def send(count: int) -> None:
                for _ in range(count):
                    body = "large\r\n" * (60_000 if len(sent) % 8 == 0 else 1)
                    server.send("s@client.example", ["x@far.example"], message(f"Number {len(sent)}", body))
                    sent.append(1)

            # The kernel spreads connections over the workers: so many hardly ever go to one of them only.
            send(24)
            while len({int(entry["queue_id"], 16) & 1 for entry in server.queue()}) < 2:
                assert len(sent) < 400, "all go to one worker"
                send(8)
            server.stop()
            server.configure("worker_processes = 1")
            answer[0] = "250 2.1.5 Ok"
            server.start()
            until(lambda: len([each for each in peer.accepted if each.recipients]) >= len(sent))
            server.wait_empty()
            assert not (server.work / "queue" / "shard-1").exists()
            assert len([each for each in peer.accepted if each.recipients]) == len(sent)


# --- large messages


def _memory(pid: int) -> int:
    """Return the most memory that a process had, in kB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0])


def test_large_messages_do_not_fill_the_memory(place: Path) -> None:
    size, together = 5_000_000, 6
    with NextHop() as peer, Postroad(place, main=f"relayhost = [127.0.0.1]:{peer.port}") as server:
        server.send("s@client.example", ["alice@example.test", "x@far.example"], message())
        server.wait_mail("alice")
        (worker,) = server.pids("postroad.app.worker")
        before = _memory(worker)
        large = message("Large", "x" * 70 + "\r\n" + ("0123456789" * 7 + "\r\n") * (size // 72))
        threads = [
            threading.Thread(
                target=server.send, args=("s@client.example", ["alice@example.test", "x@far.example"], large)
            )
            for _ in range(together)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        kept = server.wait_mail("alice", together + 1)
        until(lambda: len(peer.accepted) == together + 1)
        assert all(len(each.content) > size * 0.99 for each in peer.accepted[1:])
        assert min(len(each) for each in kept[1:]) > size * 0.95
        grown = _memory(worker) - before
        assert grown < 3 * 1024 * together, f"{together} messages of {size} bytes took {grown} kB"
