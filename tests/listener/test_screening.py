"""One client: the wait before the greeting, what is decided, and that nothing is lost on the way."""

from __future__ import annotations

import asyncio
import re

import pytest

from listener.screens import OWN, PLACE, World
from postroad.listener.stage import Stage

CONNECT = f"CONNECT from {PLACE} to [203.0.113.1]:25"
TEASER = "220-mx.example teaser"


async def early(world, transport):
    await world.settle(lambda: transport.protocol.stage is Stage.EARLY)


async def test_who_waits_gets_a_session_and_next_time_at_once(tmp_path):
    world = World(tmp_path)
    transport = world.connect()
    await early(world, transport)
    assert transport.take() == [TEASER]
    session = await world.passed()
    assert session.transport is transport
    assert transport.protocol is session
    assert world.log() == [CONNECT, f"PASS NEW {PLACE}"]
    assert world.service.sessions == 0

    again = world.connect()
    await world.passed(2)
    assert again.written == b""
    assert world.log() == [CONNECT, f"PASS OLD {PLACE}"]


@pytest.mark.parametrize("end", ["eof", "lost"])
async def test_who_hangs_up_has_passed_nothing(tmp_path, end):
    world = World(tmp_path)
    transport = world.connect()
    await early(world, transport)
    if end == "eof":
        assert not transport.protocol.eof_received()
    transport.lose()
    lines = world.log()
    assert re.match(r"HANGUP after \d", lines[1])
    assert lines[1].endswith(f" from {PLACE} in tests before SMTP handshake")
    assert lines[2:] == [f"DISCONNECT {PLACE}"]
    await world.settle()
    assert (world.log(), world.target.sessions, world.service.sessions) == ([], [], 0)


async def test_who_is_let_through_and_sends_no_more_is_still_answered(tmp_path):
    world = World(tmp_path, access_list="permit", cache_map="")
    held = world.service.access
    asked = asyncio.Event()

    class Slow:
        async def find(self, address):
            await asked.wait()
            return await held.find(address)

    world.service.access = Slow()
    transport = world.connect()
    transport.send(b"EHLO x\r\nQUIT\r\n")
    assert transport.protocol.eof_received()
    asked.set()
    session = await world.passed()
    assert (session.heard, session.ended) == (b"EHLO x\r\nQUIT\r\n", True)
    assert world.log() == [CONNECT, f"ALLOWLISTED {PLACE}"]


async def test_a_client_that_left_while_it_was_looked_up_gets_nothing(tmp_path):
    world = World(tmp_path)
    transport = world.connect()
    transport.lose()
    await world.settle()
    assert (world.log(), transport.written) == ([CONNECT, f"DISCONNECT {PLACE}"], b"")
    assert world.target.sessions == []


async def test_a_defect_in_a_look_up_lets_nobody_through(tmp_path):
    world = World(tmp_path)

    class Broken:
        async def find(self, address):
            raise RuntimeError("oh")

    world.service.access = Broken()
    transport = world.connect()
    assert (transport.take(), transport.closed) == (["421 4.3.2 No system resources"], True)
    assert world.target.sessions == []


# --- a proxy in front

HEADER = b"PROXY TCP4 198.51.100.7 203.0.113.5 1234 25\r\n"


async def test_the_proxy_says_who_the_client_is(tmp_path):
    world = World(tmp_path, upstream_proxy_protocol="haproxy")
    transport = world.connect(("127.0.0.1", 9))
    transport.send(HEADER[:20])
    assert world.log() == []
    transport.send(HEADER[20:])
    session = await world.passed()
    assert session.transport.get_extra_info("peername") == ("198.51.100.7", 1234)
    assert session.transport.get_extra_info("sockname") == ("203.0.113.5", 25)
    session.transport.write(b"220 hello\r\n")
    assert transport.take() == [TEASER, "220 hello"]
    assert world.log() == [
        "CONNECT from [198.51.100.7]:1234 to [203.0.113.5]:25",
        "PASS NEW [198.51.100.7]:1234",
    ]


async def test_what_comes_with_the_header_is_the_clients(tmp_path):
    world = World(tmp_path, upstream_proxy_protocol="haproxy", greet_action="drop")
    transport = world.connect(("127.0.0.1", 9))
    transport.send(HEADER + b"EHLO x\r\n")
    await world.settle(lambda: transport.closed)
    assert re.match(r"PREGREET 8 after \d", world.log()[1])


@pytest.mark.parametrize("data", [b"EHLO x\r\n", b"PROXY " + b"x" * 200])
async def test_without_a_header_nothing_is_done(tmp_path, data):
    world = World(tmp_path, upstream_proxy_protocol="haproxy")
    transport = world.connect()
    transport.send(data)
    assert (transport.aborted, transport.written) == (True, b"")
    transport.lose()
    assert world.log()[0].startswith("warning: haproxy read: ")
    assert world.service.sessions == 0


async def test_a_proxy_that_says_nothing_is_given_up(tmp_path):
    world = World(tmp_path, upstream_proxy_protocol="haproxy")
    transport = world.connect()
    transport.protocol.expired()
    assert transport.aborted
    assert world.log() == ["warning: haproxy read: timeout error"]


async def test_who_does_not_read_the_last_reply_is_cut_off(tmp_path):
    world = World(tmp_path, access_list="reject", denylist_action="drop")
    transport = world.connect()
    assert transport.closed
    transport.protocol.expired()
    assert transport.aborted


async def test_addresses_are_plain(tmp_path):
    world = World(tmp_path)
    world.connect(("::ffff:192.0.2.9", 4000, 0, 0), ("::ffff:203.0.113.1", 25, 0, 0))
    world.connect(("fe80::1%eth0", 4000, 0, 3), OWN)
    assert world.log() == [CONNECT, "CONNECT from [fe80::1]:4000 to [203.0.113.1]:25"]
