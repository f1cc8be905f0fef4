from __future__ import annotations

import asyncio
import contextlib
import socket
import stat

import pytest

from patience import LIMIT, turns, until
from postroad.listener.listener import Listener, listen_unix


class Greeter(asyncio.Protocol):
    def connection_made(self, transport):
        transport.write(b"hello\n")
        transport.close()


async def greeted(port, seconds=LIMIT):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    with contextlib.suppress(TimeoutError):
        return await asyncio.wait_for(reader.readline(), seconds)
    writer.close()
    return b""


@pytest.fixture
def listening():
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made


async def test_connections_are_accepted_between_start_and_close(listening):
    listener = Listener(listening, Greeter)
    port = listening.getsockname()[1]
    await listener.start()
    assert listener.serving
    assert await greeted(port) == b"hello\n"
    await listener.close()
    assert not listener.serving
    assert await greeted(port, 0.1) == b""


async def test_while_paused_clients_wait_and_are_served_afterwards(listening):
    listener = Listener(listening, Greeter)
    await listener.start()
    listener.pause(True)
    await until(lambda: not listener.serving)
    reader, writer = await asyncio.open_connection("127.0.0.1", listening.getsockname()[1])
    listener.pause(False)
    assert await asyncio.wait_for(reader.readline(), 30) == b"hello\n"
    writer.close()
    await listener.close()


async def test_quick_changes_of_mind_end_in_the_last_one(listening):
    listener = Listener(listening, Greeter)
    await listener.start()
    for full in (True, False, True, False):
        listener.pause(full)
    await turns(50)
    await until(lambda: listener.serving)
    await listener.close()


async def test_a_closed_listener_leaves_its_socket_to_the_owner(listening):
    listener = Listener(listening, Greeter)
    await listener.start()
    await listener.close()
    assert listening.fileno() >= 0
    await listener.start()
    assert await greeted(listening.getsockname()[1]) == b"hello\n"
    await listener.close()


async def test_a_unix_socket_is_open_to_all_users_and_stays_when_paused(tmp_path):
    path = tmp_path / "s"
    with listen_unix(str(path)) as listening:
        assert stat.S_IMODE(path.stat().st_mode) == 0o666
        listener = Listener(listening, Greeter)
        await listener.start()
        reader, writer = await asyncio.open_unix_connection(str(path))
        assert await reader.readline() == b"hello\n"
        writer.close()
        await listener.close()
        assert path.exists()


def test_what_a_dead_server_left_is_replaced_and_what_a_live_one_has_is_not(tmp_path):
    path = tmp_path / "s"
    listen_unix(str(path)).close()
    with listen_unix(str(path), 0o600), pytest.raises(OSError):
        listen_unix(str(path))
    (tmp_path / "file").write_text("not a socket")
    with pytest.raises(OSError):
        listen_unix(str(tmp_path / "file"))
