import os
import socket
import tempfile
from pathlib import Path

import pytest

from postroad.admin.loopback import LoopbackServer, StartFailed, free_port, owner


@pytest.fixture
def place():
    """A directory that other users may enter, unlike tmp_path, with a short name for its sockets."""
    with tempfile.TemporaryDirectory(prefix="postroad-") as name:
        os.chmod(name, 0o755)
        yield Path(name)


async def test_a_server_listens_and_stops(place):
    server = LoopbackServer(place / "one", "myhostname = one.example\n")
    await server.start()
    with socket.create_connection(("127.0.0.1", server.port), 30) as peer:
        assert peer.recv(100).startswith(b"220 one.example ESMTP")
    assert "daemon started" in server.log()
    await server.stop()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.port), 1)


async def test_a_server_that_cannot_start_says_why(place):
    server = LoopbackServer(place / "one", "virtual_mailbox_maps = nosuch:table\n")
    with pytest.raises(StartFailed, match="nosuch"):
        await server.start()
    await server.stop()


def test_the_servers_are_never_the_super_user():
    name, uid, _gid = owner()
    assert uid != 0
    assert (uid == os.geteuid()) is (os.geteuid() != 0)
    assert name


def test_a_free_port_can_be_bound():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", free_port()))
