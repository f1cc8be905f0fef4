"""The privileged helper: what it refuses, and whose rights the files show."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys

import pytest

from postroad.delivery.mailbox import helper, wire
from postroad.delivery.mailbox.helper import Bounds
from postroad.delivery.mailbox.remote import HelperWriter
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
    await asyncio.wait_for(done.wait(), 20)
    return [results[at] for at in range(len(deliveries))]


@pytest.mark.parametrize(
    ("facts", "complaint"),
    [
        ({}, ""),
        ({"uid": 0}, "user ID 0 is lower than 100"),
        ({"uid": 99}, "user ID 99 is lower than 100"),
        ({"uid": -1}, "user ID -1 is lower than 100"),
        ({"gid": 0}, "group ID 0 is lower than 1"),
        ({"base": b"/etc"}, "/etc is not a place for mailboxes"),
        ({"path": "../x/"}, "the path has .. in it"),
        ({"path": "a\0b/"}, "the path has a NUL in it"),
    ],
)
def test_requests_out_of_bounds_are_refused(delivery, base, facts, complaint):
    bounds = Bounds((os.fsencode(base),), 100)
    assert bounds.complaint(delivery(**({"uid": 5000, "gid": 5000} | facts))) == complaint


def test_a_base_that_is_not_absolute_is_never_a_place(delivery):
    assert Bounds((b"mail",)).complaint(delivery(base=b"mail", uid=5000, gid=5000)) != ""


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


def test_a_content_that_is_missing_or_is_there_twice_is_refused(serving, place, delivery):
    end = serving()
    request = wire.Request(1, delivery("u/", base=place, uid=5000, gid=5000), None, 4)
    wire.send(end, wire.encode(request))
    packet, _ = wire.receive(end)
    assert wire.decode_answer(packet).result.text == "mailbox delivery refused: no content"


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
def test_it_runs_as_a_program(place, delivery):
    ours, theirs = wire.pair()
    os.set_inheritable(theirs.fileno(), True)
    words = ["-m", "postroad.delivery.mailbox.helper", str(theirs.fileno()), "100", os.fsdecode(place)]
    with subprocess.Popen([sys.executable, *words], pass_fds=[theirs.fileno()]) as program:
        theirs.close()
        request = wire.Request(9, delivery("u/", base=place, uid=5000, gid=5000), b"x\r\n", 3)
        wire.send(ours, wire.encode(request))
        answer = wire.decode_answer(wire.receive(ours)[0])
        ours.close()
        assert program.wait(10) == 0
    assert (answer.number, answer.result.status) == (9, "2.0.0")
