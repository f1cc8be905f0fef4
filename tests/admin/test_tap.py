import asyncio

import pytest

from postroad.admin.tap import Recorder, Tap


@pytest.fixture
async def tap():
    tap = Tap(lambda: 7.0)
    await tap.listen()
    yield tap
    tap.close()


async def test_every_line_is_carried_and_remembered(tap):
    async def serve(reader, writer):
        writer.write(b"220 hi\r\n")
        assert await reader.readline() == b"EHLO x\r\n"
        writer.write(b"250 ")
        await writer.drain()
        writer.write("你好".encode() + b"\r\nhalf")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    tap.target = ("127.0.0.1", server.sockets[0].getsockname()[1])
    reader, writer = await asyncio.open_connection("127.0.0.1", tap.port)
    assert await reader.readline() == b"220 hi\r\n"
    writer.write(b"EHLO x\r\n")
    assert await reader.read() == "250 你好\r\nhalf".encode()
    writer.close()
    await writer.wait_closed()
    server.close()
    assert [(line.at, line.who, line.text) for line in tap.lines] == [
        (7.0, "S", "220 hi"),
        (7.0, "C", "EHLO x"),
        (7.0, "S", "250 你好"),
        (7.0, "S", "half"),
    ]


async def test_a_target_that_is_not_there_ends_the_connection(tap):
    reader, writer = await asyncio.open_connection("127.0.0.1", tap.port)
    assert await reader.read() == b""
    writer.close()
    assert tap.lines == []


def test_a_recorder_makes_lines_of_pieces():
    recorder = Recorder(lambda: 7.0)
    for who, data in (("S", b"220 x\r\n250-"), ("C", b"EH"), ("S", b"a\r\n250 b\r\n"), ("C", b"LO\r\n")):
        recorder.heard(who, data)
    assert [(line.who, line.text) for line in recorder.lines] == [
        ("S", "220 x"), ("S", "250-a"), ("S", "250 b"), ("C", "EHLO"),
    ]  # fmt: skip
    assert recorder.lines[0].at == 7.0
