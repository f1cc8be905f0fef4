"""The privileged helper: what it refuses, and whose rights the files show."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from peers.harness import until
from postroad.delivery.mailbox import helper, wire
from postroad.delivery.mailbox.bounds import Bounds
from postroad.delivery.mailbox.remote import HelperWriter
from postroad.delivery.mailbox.request import Locking, Result
from postroad.model.message import Text

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can take other users' rights")
BODY = Text(b"Subject: x\r\n\r\nhello\r\n")


@pytest.fixture
def place(tmp_path):
    """A directory that every user can reach: tmp_path's parents are for us alone."""
    import shutil
    import tempfile

    made = tempfile.mkdtemp(dir="/tmp")
    os.chmod(made, 0o777)
    yield os.fsencode(made)
    shutil.rmtree(made)


@pytest.fixture
def serving(place):
    """A helper in a process of its own, and our end of the talk."""
    started = []

    def start(minimum_uid=100):
        ours, theirs = wire.pair()
        child = os.fork()
        if child == 0:
            ours.close()
            code = 1
            try:
                helper.serve(theirs, Bounds((place,), minimum_uid))
                code = 0
            finally:
                os._exit(code)
        theirs.close()
        started.append((child, ours))
        return ours

    yield start
    for child, ours in started:
        ours.close()
        assert os.waitpid(child, 0)[1] == 0


def writers_of(uid):
    """Return the processes of a user that nobody else has."""
    return [
        int(name) for name in os.listdir("/proc") if name.isdigit() and os.stat(f"/proc/{name}").st_uid == uid
    ]


async def ask(writer, *deliveries, content=BODY):
    results = {}
    done = asyncio.Event()

    def then(at, result):
        results[at] = result
        if len(results) == len(deliveries):
            done.set()

    for at, delivery in enumerate(deliveries):
        writer.write(delivery, content, lambda result, at=at: then(at, result))
    await asyncio.wait_for(done.wait(), 30)
    return [results[at] for at in range(len(deliveries))]


@needs_root
async def test_mailboxes_belong_to_their_owners(place, serving, delivery):
    writer = HelperWriter(serving(), asyncio.get_running_loop())
    deliveries = [delivery(f"u{n}/", base=place, uid=5000 + n, gid=6000 + n) for n in range(3)]
    deliveries += [delivery(f"m{n}", base=place, uid=5000 + n, gid=6000 + n) for n in range(3)]
    results = await ask(writer, *deliveries)
    assert [result.text for result in results] == ["delivered to maildir"] * 3 + ["delivered to mailbox"] * 3
    for n in range(3):
        folder = os.path.join(os.fsdecode(place), f"u{n}", "new")
        (name,) = os.listdir(folder)
        for path in (os.path.join(folder, name), os.path.join(os.fsdecode(place), f"m{n}")):
            found = os.stat(path)
            assert (found.st_uid, found.st_gid, found.st_mode & 0o777) == (5000 + n, 6000 + n, 0o600)
    await writer.close()


@needs_root
async def test_more_owners_than_writers_are_all_served(place, serving, delivery):
    writer = HelperWriter(serving(), asyncio.get_running_loop())
    most = helper.MOST_WRITERS
    deliveries = [delivery(f"u{n}/", base=place, uid=5000 + n, gid=100) for n in range(most + 4)]
    results = await ask(writer, *deliveries)
    assert {result.status for result in results} == {"2.0.0"}
    await writer.close()


@needs_root
async def test_a_large_content_travels_as_a_file(place, serving, delivery, pieces):
    writer = HelperWriter(serving(), asyncio.get_running_loop())
    large = [Text(b"x" * 300_000 + b"\r\n"), pieces(b"y" * 200_000, b"\r\n" * 50_000)]
    for content in large:
        (result,) = await ask(writer, delivery("u/", base=place, uid=5000, gid=5000), content=content)
        assert result.status == "2.0.0"
    folder = os.path.join(os.fsdecode(place), "u", "new")
    sizes = sorted(os.path.getsize(os.path.join(folder, name)) for name in os.listdir(folder))
    head = len(delivery().head)
    assert sizes == [head + 250_000, head + 300_001]
    await writer.close()


@needs_root
async def test_many_at_once_all_arrive(place, serving, delivery):
    writer = HelperWriter(serving(), asyncio.get_running_loop())
    content = Text(b"x" * 60_000 + b"\r\n")
    one = delivery("u/", base=place, uid=5000, gid=5000)
    results = await ask(writer, *[one] * 200, content=content)
    assert {result.status for result in results} == {"2.0.0"}
    assert len(os.listdir(os.path.join(os.fsdecode(place), "u", "new"))) == 200
    await writer.close()


@needs_root
async def test_links_of_the_owner_lead_nowhere(place, serving, delivery, tmp_path):
    secret = tmp_path / "secret"
    secret.mkdir()
    os.symlink(secret, os.path.join(place, b"u"))
    os.symlink("/etc", os.path.join(place, b"v"))
    writer = HelperWriter(serving(), asyncio.get_running_loop())
    results = await ask(
        writer, *(delivery(path, base=place, uid=5000, gid=5000) for path in ("u/", "v/", "v/passwd", "u"))
    )
    assert {result.status for result in results} == {"4.2.0"}
    assert list(secret.iterdir()) == []
    await writer.close()


@needs_root
async def test_a_refused_request_is_answered_and_the_next_is_served(place, serving, delivery):
    writer = HelperWriter(serving(), asyncio.get_running_loop())
    bad, good = delivery("u/", base=place, uid=0, gid=0), delivery("u/", base=place, uid=5000, gid=5000)
    results = await ask(writer, bad, good)
    assert [result.status for result in results] == ["4.3.5", "2.0.0"]
    assert results[0].text == "mailbox delivery refused: user ID 0 is lower than 100"
    await writer.close()


def test_a_worker_that_talks_nonsense_is_left(serving):
    for noise in (b"nonsense", b"\x94\x01", b"x" * 90_000):
        end = serving()
        wire.send(end, noise)
        assert wire.receive(end) == (b"", -1)


def packet_of(number, *deliveries, size=3, uid=5000, gid=5000, maildir=True):
    requests = [msgspec.Raw(wire.encode(wire.Request(each, size))) for each in deliveries]
    return wire.encode(wire.Batch(number, uid, gid, maildir, requests))


def contents(*texts):
    fd = wire.memory()
    wire.put(fd, texts)
    return fd


def heard(end):
    return wire.decode_answer(wire.receive(end)[0])


def test_a_batch_without_contents_is_refused_as_a_whole(serving, place, delivery):
    end = serving()
    wire.send(end, packet_of(1, *[delivery("u/", base=place, uid=5000, gid=5000)] * 3))
    assert heard(end).runs == [(3, wire.refused("no content"))]


@needs_root
def test_another_owner_s_mailbox_in_a_batch_is_refused_by_the_writer(serving, place, delivery):
    end = serving()
    facts = [{"uid": 5000}, {"uid": 5001}, {"uid": 0}, {"base": b"/etc"}, {"path": "../u/"}]
    deliveries = [
        delivery(**({"path": "u/", "base": place, "uid": 5000, "gid": 5000} | fact)) for fact in facts
    ]
    wire.send(end, packet_of(1, *deliveries), contents(*[b"x\r\n"] * 5))
    assert [(count, result.status, result.text.split(": ")[-1]) for count, result in heard(end).runs] == [
        (1, "2.0.0", "delivered to maildir"),
        (2, "4.3.5", "another owner's mailbox"),
        (1, "4.3.5", "/etc is not a place for mailboxes"),
        (1, "4.3.5", "the path has .. in it"),
    ]
    assert os.listdir(place) == [b"u"]


@needs_root
def test_a_mailbox_that_fails_in_a_batch_disturbs_no_other(serving, place, delivery):
    end = serving()
    os.symlink("/etc", os.path.join(place, b"v"))
    made = [delivery(path, base=place, uid=5000, gid=5000) for path in ("u/", "v/x/", "u/", "u/", "u/")]
    wire.send(end, packet_of(1, *made), contents(*[b"x\r\n"] * 5))
    assert [(count, result.status) for count, result in heard(end).runs] == [
        (1, "2.0.0"),
        (1, "4.2.0"),
        (3, "2.0.0"),
    ]
    assert len(os.listdir(os.path.join(place, b"u/new"))) == 4


@needs_root
async def test_a_locked_mbox_does_not_hold_up_a_maildir_of_its_owner(serving, place, delivery):
    writer = HelperWriter(serving(), asyncio.get_running_loop())
    facts = {"base": place, "uid": 5000, "gid": 5000}
    lock = os.path.join(place, b"m.lock")
    with open(lock, "w"):
        slow = []
        writer.write(delivery("m", **facts, locking=Locking(attempts=100, delay=0.05)), BODY, slow.append)
        (result,) = await ask(writer, delivery("u/", **facts))
    assert result.status == "2.0.0"
    assert slow == []
    os.unlink(lock)
    await writer.close()
    assert slow[0].status == "2.0.0"


@needs_root
def test_a_writer_keeps_nothing_of_the_helper_open(serving, place, delivery):
    end = serving()
    for number, uid in ((1, 54322), (2, 54323)):
        one = delivery(f"u{uid}/", base=place, uid=uid, gid=5000)
        wire.send(end, packet_of(number, one, uid=uid), contents(b"x\r\n"))
        assert heard(end).runs[0][1].status == "2.0.0"
    (pid,) = writers_of(54323)
    kinds = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd") if int(fd) > 2]
    assert sum(kind.startswith("socket:") for kind in kinds) == 1
    assert not any("memfd" in kind or "eventpoll" in kind for kind in kinds)


@needs_root
def test_a_writer_that_rests_keeps_no_mailbox_open(serving, place, delivery):
    end = serving()
    wire.send(
        end, packet_of(1, delivery("u/", base=place, uid=54324, gid=5000), uid=54324), contents(b"x\r\n")
    )
    assert heard(end).runs[0][1].status == "2.0.0"
    (pid,) = writers_of(54324)

    def open_files():
        return [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]

    until(lambda: not any(os.fsdecode(place) in each for each in open_files()))


@needs_root
async def test_a_writer_that_is_killed_defers_what_it_had_and_is_replaced(place, serving, delivery):
    end = serving()
    writer = HelperWriter(end, asyncio.get_running_loop())
    one = delivery("u/", base=place, uid=54321, gid=5000)
    assert (await ask(writer, one))[0].status == "2.0.0"
    for pid in writers_of(54321):
        os.kill(pid, signal.SIGKILL)
    results = [(await ask(writer, one))[0].status for _ in range(2)]
    assert results[-1] == "2.0.0"
    assert results[0] in ("2.0.0", "4.3.0")
    await writer.close()


@needs_root
@pytest.mark.parametrize("when", ["write", "sync", "move", "answer"])
def test_a_writer_that_dies_in_a_batch_loses_nothing(place, delivery, monkeypatch, when):
    """All of its batch are deferred; those it had moved already arrive twice, when they are tried again."""

    def die(*_, **__):
        os._exit(9)

    places = {
        "write": (os, "fstat"),
        "sync": (os, "fsync"),
        "move": (os, "rename"),
        "answer": (wire, "answers_of"),
    }
    ours, theirs = wire.pair()
    child = os.fork()
    if child == 0:
        ours.close()
        monkeypatch.setattr(*places[when], die)
        helper.serve(theirs, Bounds((place,)))
        os._exit(0)
    theirs.close()
    deliveries = [delivery(f"u{n}/", base=place, uid=5000, gid=5000) for n in range(3)]
    wire.send(ours, packet_of(1, *deliveries), contents(*[b"x\r\n"] * 3))
    assert heard(ours).runs == [(3, Result("4.3.0", "mailbox writer ended unexpectedly"))]
    ours.close()
    assert os.waitpid(child, 0)[1] == 0
    there = list(Path(os.fsdecode(place)).glob("u*/new/*"))
    assert len(there) == (3 if when == "answer" else 0)


@needs_root
async def test_a_helper_that_is_killed_in_a_batch_defers_each_of_it_once(place, delivery):
    ours, theirs = wire.pair()
    os.set_inheritable(theirs.fileno(), True)
    words = ["-m", "postroad.delivery.mailbox.helper", str(theirs.fileno()), "100", os.fsdecode(place)]
    with subprocess.Popen([sys.executable, *words], pass_fds=[theirs.fileno()]) as program:
        theirs.close()
        writer = HelperWriter(ours, asyncio.get_running_loop())
        one = delivery("u/", base=place, uid=5000, gid=5000)
        assert (await ask(writer, one))[0].status == "2.0.0"
        results = [[] for _ in range(310)]
        for each in results[:300]:
            writer.write(one, BODY, each.append)
        while not any(results):
            await asyncio.sleep(0)
        for each in results[300:]:  # sent after this turn, and nobody is there
            writer.write(one, BODY, each.append)
        program.kill()
        while not all(results):
            await asyncio.sleep(0.01)
    assert {len(each) for each in results} == {1}
    statuses = [each[0].status for each in results]
    assert set(statuses) == {"2.0.0", "4.3.0"}
    # What counts as delivered is there; of the rest, no more than the batch that was under way.
    there = len(os.listdir(os.path.join(place, b"u/new"))) - 1
    assert statuses.count("2.0.0") <= there <= statuses.count("2.0.0") + wire.BATCH
    await writer.close()


@needs_root
def test_it_runs_as_a_program(place, delivery):
    ours, theirs = wire.pair()
    os.set_inheritable(theirs.fileno(), True)
    words = ["-m", "postroad.delivery.mailbox.helper", str(theirs.fileno()), "100", os.fsdecode(place)]
    with subprocess.Popen([sys.executable, *words], pass_fds=[theirs.fileno()]) as program:
        theirs.close()
        wire.send(ours, packet_of(9, delivery("u/", base=place, uid=5000, gid=5000)), contents(b"x\r\n"))
        answer = heard(ours)
        ours.close()
        assert program.wait(30) == 0
    assert (answer.number, answer.runs[0][1].status) == (9, "2.0.0")
