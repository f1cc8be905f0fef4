"""Batches in threads: nothing waits for nothing, nothing is lost."""

from __future__ import annotations

import asyncio
import os
import threading

import pytest

from postroad.delivery.mailbox import maildir, mbox
from postroad.delivery.mailbox.direct import DirectWriter, Writers
from postroad.delivery.mailbox.request import Locking, Result
from postroad.model.message import Text


@pytest.fixture
def body():
    return Text(b"x\r\n")


async def write_all(writer, deliveries, content):
    results = {}
    done = asyncio.Event()

    def then(at, result):
        assert threading.current_thread() is threading.main_thread()
        assert at not in results
        results[at] = result
        if len(results) == len(deliveries):
            done.set()

    for at, delivery in enumerate(deliveries):
        writer.write(delivery, content, lambda result, at=at: then(at, result))
    await asyncio.wait_for(done.wait(), 30)
    return [results[at] for at in range(len(deliveries))]


async def test_deliveries_of_one_turn_are_one_batch(base, delivery, clock, body, monkeypatch):
    sizes = []
    real = maildir.MaildirWriter.deliver
    monkeypatch.setattr(
        maildir.MaildirWriter, "deliver", lambda self, batch: sizes.append(len(batch)) or real(self, batch)
    )
    writer = DirectWriter(clock)
    results = await write_all(writer, [delivery()] * 100, body)
    assert results == [maildir.DELIVERED] * 100
    assert sizes == [64, 36]
    assert len(list((base / "box.test/bob/new").iterdir())) == 100
    await writer.close()


async def test_deliveries_to_one_mbox_follow_each_other(base, delivery, clock, body):
    writer = DirectWriter(clock)
    deliveries = [delivery("one", locking=Locking(("fcntl",), 1, 0.0)) for _ in range(30)]
    deliveries += [delivery("./one", locking=Locking(("fcntl",), 1, 0.0)), delivery("two")]
    assert await write_all(writer, deliveries, body) == [mbox.DELIVERED] * 32
    assert (base / "one").read_bytes().count(b"\nx\n\n") == 31
    await writer.close()


async def test_a_slow_mbox_does_not_hold_up_a_maildir(base, delivery, clock, body):
    (base / "one.lock").write_text("")
    os.utime(base / "one.lock", (1_700_000_000, 1_700_000_000))
    go = threading.Event()
    writer = DirectWriter(clock, sleep=lambda _: go.wait(30))
    slow = []
    writer.write(delivery("one"), body, slow.append)
    assert await write_all(writer, [delivery()], body) == [maildir.DELIVERED]
    assert slow == []
    (base / "one.lock").unlink()
    go.set()
    await writer.close()
    assert slow == [mbox.DELIVERED]


async def test_close_waits_for_what_is_being_written(base, delivery, clock, body):
    writer, results = DirectWriter(clock), []
    for _ in range(5):
        writer.write(delivery(), body, results.append)
    await writer.close()
    assert len(results) == 5


async def test_a_path_out_of_the_base_is_deferred_for_an_mbox_too(delivery, clock, body):
    writer = DirectWriter(clock)
    (result,) = await write_all(writer, [delivery("../x")], body)
    assert result.status == "4.3.5"
    await writer.close()


async def test_nothing_stays_open_when_there_is_nothing_to_do(delivery, clock, body):
    writer = DirectWriter(clock)
    await write_all(writer, [delivery()], body)
    before = len(os.listdir("/proc/self/fd"))
    await write_all(writer, [delivery(f"u{n}/") for n in range(10)], body)
    assert len(os.listdir("/proc/self/fd")) == before
    await writer.close()


async def test_a_defect_defers_the_batch_and_says_so(delivery, clock, body, monkeypatch):
    monkeypatch.setattr(maildir.MaildirWriter, "deliver", lambda self, batch: 1 / 0)
    writer = DirectWriter(clock)
    results = await write_all(writer, [delivery()] * 2, body)
    assert {result.status for result in results} == {"4.3.0"}
    assert "ZeroDivisionError" in results[0].warnings[0]
    await writer.close()


def test_only_our_own_mailboxes_are_written_directly(delivery, writer, body, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(os, "getegid", lambda: 1000)
    helper = type(writer)(Result("2.0.0", "by the helper"))
    answers = []
    both, alone = Writers(writer, helper), Writers(writer)
    for uid, gid in ((1000, 1000), (1000, 1001), (5000, 1000)):
        both.write(delivery(uid=uid, gid=gid), body, answers.append)
    assert [answer.text for answer in answers] == ["delivered to maildir", "by the helper", "by the helper"]
    alone.write(delivery(uid=5000, gid=5000), body, answers.append)
    assert (answers[-1].status, answers[-1].text) == (
        "4.3.5",
        ("mailbox of user ID 5000, group ID 5000: only a server that is started as root can deliver to it"),
    )


def test_root_never_writes_directly(delivery, writer, body, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "getegid", lambda: 0)
    answers = []
    Writers(writer).write(delivery(uid=0, gid=0), body, answers.append)
    assert answers[0].status == "4.3.5"
    assert writer.asked == []


async def test_closing_closes_both(writer):
    helper = type(writer)()
    await Writers(writer, helper).close()
    assert writer.closed
    assert helper.closed
