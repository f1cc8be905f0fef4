"""The worker's end: answers find their question, and a helper that goes defers what is open."""

from __future__ import annotations

import asyncio
import os

import pytest

from postroad.delivery.mailbox import wire
from postroad.delivery.mailbox.remote import HelperWriter
from postroad.delivery.mailbox.request import Result
from postroad.model.message import Text

BODY = Text(b"x\r\n")


@pytest.fixture
async def ends():
    ours, theirs = wire.pair()
    theirs.settimeout(5)
    yield HelperWriter(ours, asyncio.get_running_loop()), theirs
    theirs.close()


async def turns(count=5):
    for _ in range(count):
        await asyncio.sleep(0)


async def test_answers_may_come_in_any_order(ends, delivery):
    writer, helper = ends
    got = {}
    for name in ("one", "two"):
        writer.write(delivery(), BODY, lambda result, name=name: got.update({name: result.text}))
    requests = [wire.decode_request(wire.receive(helper)[0]) for _ in range(2)]
    for request in reversed(requests):
        wire.send(helper, wire.encode(wire.Answer(request.number, Result("2.0.0", str(request.number)))))
    await turns()
    assert got == {"one": "1", "two": "2"}
    assert requests[0].data == b"x\r\n"
    await writer.close()


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
    wire.send(helper, wire.encode(wire.Answer(77, Result("2.0.0", "x"))))
    writer.write(delivery(), BODY, got.append)
    await turns()
    assert got == []
    wire.send(helper, wire.encode(wire.Answer(1, Result("2.0.0", "x"))))
    await turns()
    assert len(got) == 1
    await writer.close()


async def test_a_helper_that_is_slow_to_read_gets_all_in_the_end(ends, delivery):
    writer, helper = ends
    got = []
    content = Text(b"x" * 60_000)
    for _ in range(20):
        writer.write(delivery(), content, got.append)
    writer.write(delivery(), Text(b"y" * 100_000), got.append)
    read = 0
    while read < 21:
        packet, fd = wire.receive(helper)
        if fd >= 0:
            assert os.fstat(fd).st_size == 100_000
            os.close(fd)
        request = wire.decode_request(packet)
        wire.send(helper, wire.encode(wire.Answer(request.number, Result("2.0.0", "x"))))
        read += 1
        await turns()
    assert len(got) == 21
    await writer.close()


async def test_close_waits_for_the_answers(ends, delivery):
    writer, helper = ends
    got = []
    writer.write(delivery(), BODY, got.append)
    closing = asyncio.ensure_future(writer.close())
    await turns()
    assert not closing.done()
    wire.send(helper, wire.encode(wire.Answer(1, Result("2.0.0", "x"))))
    await asyncio.wait_for(closing, 5)
    assert len(got) == 1


async def test_a_content_that_cannot_be_read_is_deferred(ends, delivery):
    writer, _ = ends
    got = []
    writer.write(delivery(), wire.FileContent(-1, 100), got.append)
    assert got[0].status == "4.3.0"
    await writer.close()
