"""The worker's end: answers find their question, and a helper that goes defers what is open."""

from __future__ import annotations

import asyncio
import os
import select

import pytest

from postroad.delivery.mailbox import wire
from postroad.delivery.mailbox.remote import HelperWriter
from postroad.delivery.mailbox.request import Result
from postroad.model.message import Text
from postroad.store.body import FileContent

BODY = Text(b"x\r\n")


@pytest.fixture
async def ends():
    ours, theirs = wire.pair()
    theirs.settimeout(30)
    yield HelperWriter(ours, asyncio.get_running_loop()), theirs
    theirs.close()


def take(helper):
    """Receive a batch: what it says, its requests, its contents."""
    packet, fd = wire.receive(helper)
    batch = wire.decode_batch(packet)
    requests = [wire.decode_request(raw) for raw in batch.requests]
    text = os.pread(fd, sum(request.size for request in requests), 0)
    os.close(fd)
    return batch, requests, text


def answer(helper, number, *runs):
    wire.send(
        helper, wire.encode(wire.Answer(number, [(count, Result("2.0.0", text)) for count, text in runs]))
    )


async def turns(count=5):
    for _ in range(count):
        await asyncio.sleep(0)


async def test_deliveries_of_one_turn_and_owner_are_one_batch(ends, delivery):
    writer, helper = ends
    got = {}
    for n, uid in enumerate((5000, 5001, 5000)):
        writer.write(
            delivery(uid=uid, gid=6000),
            Text(b"%d\r\n" % n, plain=True),
            lambda r, n=n: got.update({n: r.text}),
        )
    await turns()
    (first, requests, text), (second, _, alone) = take(helper), take(helper)
    assert (first.uid, first.gid, first.maildir, second.uid) == (5000, 6000, True, 5001)
    assert (text, alone) == (b"0\r\n2\r\n", b"1\r\n")
    assert [(request.size, request.plain) for request in requests] == [(3, True)] * 2
    answer(helper, second.number, (1, "second"))
    answer(helper, first.number, (1, "a"), (1, "b"))
    await turns()
    assert got == {0: "a", 1: "second", 2: "b"}
    await writer.close()


async def test_what_comes_during_a_batch_is_the_next(ends, delivery):
    writer, helper = ends
    got = []
    for n in range(5):
        writer.write(delivery(), Text(b"%d" % n), lambda result, n=n: got.append((n, result.text)))
        await turns()
    batch, _, text = take(helper)
    assert text == b"0"
    assert select.select([helper], [], [], 0)[0] == []
    answer(helper, batch.number, (1, "x"))
    await turns()
    batch, _, text = take(helper)
    assert text == b"1234"
    answer(helper, batch.number, (3, "y"))
    await turns()
    assert got == [(0, "x"), (1, "y"), (2, "y"), (3, "y")]
    answer(helper, batch.number, (1, "z"))
    await turns()
    assert got[4:] == [(4, "z")]
    await writer.close()


async def test_what_an_answer_causes_is_the_next_batch(ends, delivery):
    writer, helper = ends
    got = []
    for _ in range(3):
        writer.write(delivery(), BODY, lambda _: writer.write(delivery(), Text(b"again"), got.append))
    await turns()
    answer(helper, take(helper)[0].number, (3, "x"))
    await turns()
    batch, _, text = take(helper)
    assert text == b"again" * 3
    answer(helper, batch.number, (3, "x"))
    await turns()
    assert len(got) == 3
    await writer.close()


async def test_a_defect_in_one_that_is_told_stops_no_other(ends, delivery):
    writer, helper = ends
    loop, errors, got = asyncio.get_running_loop(), [], []
    loop.set_exception_handler(lambda _, context: errors.append(context["exception"]))
    writer.write(delivery(), BODY, lambda _: 1 / 0)
    await turns()
    writer.write(delivery(), BODY, got.append)
    answer(helper, take(helper)[0].number, (1, "x"))
    await turns()
    assert [type(error) for error in errors] == [ZeroDivisionError]
    answer(helper, take(helper)[0].number, (1, "x"))
    await turns()
    assert len(got) == 1
    await writer.close()


@pytest.mark.parametrize(
    ("count", "size", "name", "counts"),
    [
        (100, 10, 10, [wire.BATCH, 100 - wire.BATCH]),
        (5, wire.BATCH_BYTES // 2, 10, [2, 2, 1]),
        (5, 10, 20_000, [3, 2]),
    ],
)
async def test_a_batch_has_its_bounds(ends, delivery, count, size, name, counts):
    writer, helper = ends
    got = []
    for _ in range(count):
        writer.write(delivery(head=b"x" * name), Text(b"x" * size), got.append)
    for expected in counts:
        await turns()
        batch, requests, _ = take(helper)
        assert len(requests) == expected
        answer(helper, batch.number, (expected, "x"))
    await turns()
    assert len(got) == count
    await writer.close()


async def test_a_request_that_fits_no_packet_is_refused(ends, delivery):
    writer, _ = ends
    got = []
    writer.write(delivery(head=b"x" * wire.PACKET), BODY, got.append)
    assert got[0].status == "4.3.5"
    await writer.close()


async def test_mboxes_and_files_go_alone_and_wait_for_nothing(ends, delivery, pieces, tmp_path):
    writer, helper = ends
    got = []
    (tmp_path / "f").write_bytes(b"in a file")
    for one, content in [
        (delivery(), BODY),
        (delivery("m"), BODY),
        (delivery("m"), BODY),
        (delivery(), pieces(b"in ", b"pieces")),
        (delivery(), FileContent(str(tmp_path / "f"), 9)),
    ]:
        writer.write(one, content, got.append)
    await turns()
    there = [take(helper) for _ in range(5)]
    assert sorted((text, batch.maildir) for batch, _, text in there) == [
        (b"in a file", True),
        (b"in pieces", True),
        (b"x\r\n", False),
        (b"x\r\n", False),
        (b"x\r\n", True),
    ]
    for batch, _, _ in there:
        answer(helper, batch.number, (1, "x"))
        await turns(2)
    assert len(got) == 5
    await writer.close()


async def test_memory_that_is_not_there_defers_the_batch_and_the_next_goes_on(ends, delivery, monkeypatch):
    writer, helper = ends
    got = []
    with monkeypatch.context() as patch:
        patch.setattr(os, "memfd_create", lambda *_: 1 / 0)
        patch.setattr(wire, "memory", lambda: (_ for _ in ()).throw(OSError(24, "Too many open files")))
        for one in (delivery(), delivery(), delivery("m")):
            writer.write(one, BODY, got.append)
        await turns()
    assert [result.status for result in got] == ["4.3.0"] * 3
    writer.write(delivery(), BODY, got.append)
    await turns()
    answer(helper, take(helper)[0].number, (1, "x"))
    await turns()
    assert got[3].status == "2.0.0"
    await writer.close()


async def test_nothing_stays_open(ends, delivery):
    writer, helper = ends
    before = len(os.listdir("/proc/self/fd"))
    for end in (delivery(), delivery("m")):
        got = []
        writer.write(end, BODY, got.append)
        await turns()
        answer(helper, take(helper)[0].number, (1, "x"))
        await turns()
        assert got
    assert len(os.listdir("/proc/self/fd")) == before
    for end in (delivery(), delivery(), delivery("m")):
        writer.write(end, BODY, got.append)
    await turns()
    writer.write(delivery(), BODY, got.append)
    helper.close()
    await turns()
    assert [result.status for result in got[1:]] == ["4.3.0"] * 4
    assert len(os.listdir("/proc/self/fd")) == before - 2


async def test_what_was_answered_before_the_helper_went_is_not_deferred(ends, delivery):
    writer, helper = ends
    got = {}
    for n in range(4):
        writer.write(delivery(), BODY, lambda result, n=n: got.setdefault(n, []).append(result.status))
    await turns()
    answer(helper, take(helper)[0].number, (3, "x"))
    await turns()
    helper.close()
    await turns()
    assert got == {0: ["2.0.0"], 1: ["2.0.0"], 2: ["2.0.0"], 3: ["4.3.0"]}


@pytest.mark.parametrize("end", ["close", "noise"])
async def test_a_helper_that_goes_defers_what_is_open_and_what_comes(ends, delivery, end):
    writer, helper = ends
    got = []
    writer.write(delivery(), BODY, got.append)
    if end == "close":
        helper.close()
    else:
        helper.send(b"noise")
    await turns()
    writer.write(delivery(), BODY, got.append)
    assert [result.status for result in got] == ["4.3.0", "4.3.0"]
    assert got[0].text == "mailbox helper is not running"
    await writer.close()


async def test_an_answer_that_nobody_asked_for_is_passed_over(ends, delivery):
    writer, helper = ends
    got = []
    answer(helper, 77, (1, "x"))
    writer.write(delivery(), BODY, got.append)
    await turns()
    assert got == []
    answer(helper, 1, (1, "x"))
    await turns()
    assert len(got) == 1
    await writer.close()


async def test_a_helper_that_is_slow_to_read_gets_all_in_the_end(ends, delivery):
    writer, helper = ends
    got = []
    for n in range(400):
        writer.write(delivery(f"m{n}", head=b"x" * 8000), Text(b"x" * 100), got.append)
    read = 0
    while read < 400:
        batch, requests, text = take(helper)
        assert (requests[0].delivery.path, len(text)) == (b"m%d" % read, 100)
        answer(helper, batch.number, (1, "x"))
        read += 1
        await turns()
    assert len(got) == 400
    await writer.close()


async def test_close_waits_for_the_answers(ends, delivery):
    writer, helper = ends
    got = []
    writer.write(delivery(), BODY, got.append)
    closing = asyncio.ensure_future(writer.close())
    await turns()
    assert not closing.done()
    answer(helper, 1, (1, "x"))
    await asyncio.wait_for(closing, 30)
    assert len(got) == 1


async def test_a_content_that_cannot_be_read_is_deferred(ends, delivery):
    writer, _ = ends
    got = []
    before = len(os.listdir("/proc/self/fd"))
    for content in (wire.FileContent(-1, 0, 100), FileContent("/nowhere", 5)):
        writer.write(delivery(), content, got.append)
    assert [result.status for result in got] == ["4.3.0"] * 2
    assert len(os.listdir("/proc/self/fd")) == before
    await writer.close()
