import asyncio
import contextlib
import os
import socket
import stat

import pytest

from postroad.base.errors import PostroadError
from postroad.net import control
from postroad.net.control import ControlFailed, ControlServer, NotRunning, ask


@pytest.fixture
async def server(tmp_path):
    async def handler(request, uid):
        if request.get("verb") == "fail":
            raise PostroadError("no such queue")
        if request.get("verb") == "defect":
            raise ZeroDivisionError
        if request.get("verb") == "huge":
            return {"text": "x" * control.MAX_REPLY}
        if request.get("verb") == "large":
            return {"text": "x" * 3_000_000}
        return {"echo": request, "uid": uid}

    failures = []
    made = ControlServer(tmp_path / "control", handler, 0o660, lambda name, error: failures.append(error))
    made.failures = failures
    await made.start()
    yield made
    await made.close()


async def asked(server, request):
    return await asyncio.to_thread(ask, server.path, request, 5)


async def test_a_request_is_answered_with_the_peers_uid(server):
    assert await asked(server, {"verb": "status"}) == {"echo": {"verb": "status"}, "uid": os.geteuid()}


async def test_large_replies_arrive_whole(server):
    assert len((await asked(server, {"verb": "large"}))["text"]) == 3_000_000


async def test_the_socket_has_the_mode_that_was_asked_for(server):
    assert stat.S_IMODE(server.path.stat().st_mode) == 0o660


async def test_an_error_of_the_handler_is_told_to_the_client(server):
    assert await asked(server, {"verb": "fail"}) == {"error": "no such queue"}


async def test_a_defect_of_the_handler_is_reported_and_the_server_goes_on(server):
    assert await asked(server, {"verb": "defect"}) == {"error": "internal error"}
    assert [type(error) for error in server.failures] == [ZeroDivisionError]
    assert (await asked(server, {}))["echo"] == {}


async def test_an_answer_over_the_limit_is_an_error_not_a_flood(server):
    assert await asked(server, {"verb": "huge"}) == {"error": "the answer is too long"}


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x00\xff\xfe\n",
        b"[]\n",
        b'"text"\n',
        b"{\n",
        b"\n",
        b'{"verb":',
        b"x" * (control.MAX_REQUEST + 10),
        b"",
    ],
)
async def test_garbage_ends_only_its_own_connection(server, garbage):
    reader, writer = await asyncio.open_unix_connection(str(server.path))
    writer.write(garbage)
    if not garbage.endswith(b"\n") and len(garbage) < control.MAX_REQUEST:
        writer.write_eof()
    with contextlib.suppress(ConnectionResetError):
        assert await asyncio.wait_for(reader.read(), 30) == b""
    writer.close()
    assert (await asked(server, {"a": 1}))["echo"] == {"a": 1}


async def test_several_requests_on_one_connection_are_answered_in_order(server):
    reader, writer = await asyncio.open_unix_connection(str(server.path))
    writer.write(b'{"n":1}\n{"n":2}\n')
    answers = [await reader.readline(), await reader.readline()]
    writer.close()
    assert b'"n":1' in answers[0]
    assert b'"n":2' in answers[1]


async def test_more_connections_than_the_limit_are_closed_at_once(server):
    open_ones = [await asyncio.open_unix_connection(str(server.path)) for _ in range(control._CONNECTIONS)]
    reader, writer = await asyncio.open_unix_connection(str(server.path))
    with contextlib.suppress(ConnectionResetError):
        assert await asyncio.wait_for(reader.read(), 30) == b""
    writer.close()
    for _reader, one in open_ones:
        one.close()


def test_asking_where_nothing_listens_says_so(tmp_path):
    with pytest.raises(NotRunning):
        ask(tmp_path / "control", {})
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(str(tmp_path / "dead"))
    dead.close()
    with pytest.raises(NotRunning):
        ask(tmp_path / "dead", {})
    with pytest.raises(NotRunning):
        ask("/tmp/" + "x" * 200, {})


def test_a_request_over_the_limit_is_not_sent(tmp_path):
    with pytest.raises(ControlFailed, match="too long"):
        ask(tmp_path / "control", {"ids": "x" * control.MAX_REQUEST})


@pytest.mark.parametrize("answer", [b"", b"no json\n", b"[1]\n"])
async def test_a_malformed_answer_is_a_failure(tmp_path, answer):
    async def serve(reader, writer):
        await reader.readline()
        writer.write(answer)
        writer.close()

    server = await asyncio.start_unix_server(serve, str(tmp_path / "s"))
    with pytest.raises(ControlFailed):
        await asyncio.to_thread(ask, tmp_path / "s", {}, 5)
    server.close()


async def test_a_dead_servers_socket_is_replaced_and_a_living_ones_is_not(server, tmp_path):
    with pytest.raises(OSError, match="in use"):
        await ControlServer(server.path, server._handler).start()
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(str(tmp_path / "stale"))
    stale.close()
    second = ControlServer(tmp_path / "stale", server._handler)
    await second.start()
    assert (await asked(second, {}))["echo"] == {}
    await second.close()
    assert not second.path.exists()
    await second.close()
