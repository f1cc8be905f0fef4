import asyncio
import contextlib

import pytest

from filters.conftest import settings
from postroad.filters.link import Link, dial
from postroad.filters.spec import read_milters
from postroad.proto.milter import codec
from postroad.proto.milter.codec import MilterError
from postroad.proto.milter.machine import CONTINUE, MilterMachine, Verdict


async def reached(bench, name, **texts):
    (spec,) = read_milters([name], settings(**texts))
    link = Link(MilterMachine(spec.offer, 1000), bench.wheel, bench.loop)
    bench.stack.callback(link.close)
    return link, await dial(spec, link, bench.loop, texts.get("queue_directory", "/"))


async def agreed(bench, stub):
    link, reason = await reached(bench, stub.name)
    assert reason == ""
    link.send(link.machine.begin())
    assert await link.ask(30) is CONTINUE
    return link


async def test_a_question_and_its_answer(bench):
    stub = await bench.stub({"R": [b"p", b"a"]})
    link = await agreed(bench, stub)
    link.send(link.machine.event(codec.RCPT, b"<u@example.org>\0"))
    assert (await link.ask(30)).verdict is Verdict.ACCEPT
    assert stub.data("R") == [b"<u@example.org>\0"]


async def test_sockets_below_the_queue_directory_and_hosts_by_name(bench, tmp_path):
    await bench.stub(path=str(tmp_path / "socket"))
    assert (await reached(bench, "unix:socket", queue_directory=str(tmp_path)))[1] == ""
    stub = await bench.stub()
    assert (await reached(bench, stub.name.replace("127.0.0.1", "localhost")))[1] == ""


async def test_why_a_milter_cannot_be_reached(bench):
    assert (await reached(bench, "inet:127.0.0.1:1"))[1] == "Connection refused"
    assert (await reached(bench, "unix:nowhere"))[1] == "No such file or directory"
    assert (await reached(bench, "inet:127.0.0.1:nosuchservice"))[1] != ""


async def test_connecting_has_a_limit(bench, monkeypatch):
    async def never(*args, **rest):
        await asyncio.sleep(60)

    monkeypatch.setattr(bench.loop, "create_connection", never)
    (spec,) = read_milters(["{ inet:127.0.0.1:1, connect_timeout=1s }"], settings())
    link = Link(MilterMachine(spec.offer, 1000), bench.wheel, bench.loop)
    assert await dial(spec, link, bench.loop, "/") == "Connection timed out"


async def test_a_milter_that_hangs_up(bench):
    stub = await bench.stub({"M": [b"DIE"]})
    link = await agreed(bench, stub)
    link.send(link.machine.event(codec.MAIL, b"<>\0"))
    text = "can't read SMFIC_MAIL reply packet header: "
    with pytest.raises(MilterError, match=text):
        await link.ask(30)
    link.send(link.machine.event(codec.RCPT, b"<>\0"))
    with pytest.raises(MilterError, match="can't read SMFIC_"):
        await link.ask(30)
    with pytest.raises(MilterError, match="can't read SMFIC_"):
        await link.drain(memoryview(b"x"), 30)


async def test_one_that_hung_up_while_nothing_was_asked(bench):
    stub = await bench.stub()
    link = await agreed(bench, stub)
    stub.hang_up()
    await asyncio.wait_for(stub.ended.wait(), 30)
    while link._transport is not None:
        await asyncio.sleep(0)
    link.send(link.machine.event(codec.MAIL, b"<>\0"))
    with pytest.raises(MilterError, match="can't read SMFIC_MAIL reply packet header: Application error"):
        await link.ask(30)


async def test_one_that_hung_up_amid_a_body_that_it_does_not_answer(bench):
    stub = await bench.stub(events=0x80000)
    link = await agreed(bench, stub)
    stub.hang_up()
    while link._transport is not None:
        await asyncio.sleep(0)
    link.send(link.machine.part(codec.BODY, 1))
    with pytest.raises(MilterError, match="can't read SMFIC_BODYEOB reply packet header: Application error"):
        await link.drain(memoryview(b"x"), 30)


async def test_one_that_breaks_the_protocol(bench):
    stub = await bench.stub({"M": [b"Z"]})
    link = await agreed(bench, stub)
    link.send(link.machine.event(codec.MAIL, b"<>\0"))
    with pytest.raises(MilterError, match="unknown filter reply"):
        await link.ask(30)


async def test_each_packet_gives_new_time(bench, monkeypatch):
    stub = await bench.stub({"M": [b"p"]})
    link = await agreed(bench, stub)
    link.send(link.machine.event(codec.MAIL, b"<>\0"))
    asked = asyncio.ensure_future(link.ask(1000))
    packets = link.machine.packets
    await asyncio.sleep(0)
    link.deadline = 1.0
    while link.machine.packets == packets:
        await asyncio.sleep(0.001)
    assert link.deadline > 1.0
    link.deadline = 1.0
    link.data_received(b"\0\0\0\x01")  # part of a packet gives none
    assert link.deadline == 1.0
    link.expired()
    with pytest.raises(MilterError, match="SMFIC_MAIL reply packet header: Connection timed out"):
        await asked


async def test_a_milter_that_does_not_read_is_waited_for_but_not_for_ever(bench):
    gate = asyncio.Event()
    ended = []

    async def sluggish(reader, writer):
        size = int.from_bytes(await reader.readexactly(4))
        await reader.readexactly(size)
        writer.write(b"\0\0\0\x0dO\0\0\0\x06\0\0\0\0\0\x08\0\0")  # no answers to BODY
        await gate.wait()
        with contextlib.suppress(ConnectionError):
            while await reader.read(1 << 16):
                pass
        writer.close()
        ended.append(writer)

    server = await asyncio.start_server(sluggish, "127.0.0.1", 0, limit=1 << 14)
    name = f"inet:127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        for late in (False, True):
            gate.clear()
            link, _ = await reached(bench, name)
            link.send(link.machine.begin())
            await link.ask(30)
            chunk = memoryview(bytes(1 << 20))

            async def send(link=link, chunk=chunk):
                for _ in range(40):
                    link.send(link.machine.part(codec.BODY, len(chunk)))
                    await link.drain(chunk, 1000)

            sending = asyncio.ensure_future(send())
            while not link._blocked:
                await asyncio.sleep(0)
            assert not sending.done()
            if late:
                link.expired()
                with pytest.raises(MilterError, match="Connection timed out"):
                    await sending
            else:
                gate.set()
                await asyncio.wait_for(sending, 30)
            link.close()
        gate.set()
        while len(ended) < 2:
            await asyncio.sleep(0.001)


async def test_close_says_good_bye_and_ends_whoever_waits(bench):
    stub = await bench.stub({"M": [b"p"]})
    link = await agreed(bench, stub)
    link.send(link.machine.event(codec.MAIL, b"<>\0"))
    asked = asyncio.ensure_future(link.ask(1000))
    await asyncio.sleep(0)
    link.close(codec.packet(codec.QUIT))
    with pytest.raises(MilterError):
        await asked
    await asyncio.wait_for(stub.ended.wait(), 30)
    assert stub.letters()[-1] == "Q"
    link.close()
