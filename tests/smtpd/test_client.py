from __future__ import annotations

import asyncio
import os
import pwd

import pytest

from postroad.smtpd.client import local_client, plain_address, remote_client


@pytest.mark.parametrize(
    ("raw", "plain"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8::7", "2001:db8::7"),
        ("fe80::1%eth0", "fe80::1"),
    ],
)
def test_addresses_are_named_plainly(raw, plain):
    assert plain_address(raw) == plain


async def test_the_user_at_a_unix_socket_is_the_kernels_word(tmp_path):
    loop = asyncio.get_running_loop()
    found = loop.create_future()

    class Protocol(asyncio.Protocol):
        def connection_made(self, transport):
            found.set_result(local_client(transport))
            transport.close()

    server = await loop.create_unix_server(Protocol, str(tmp_path / "socket"))
    _reader, writer = await asyncio.open_unix_connection(str(tmp_path / "socket"))
    client = await found
    assert (client.local_uid, client.login) == (os.getuid(), pwd.getpwuid(os.getuid()).pw_name)
    assert client.named_address == "localhost[127.0.0.1]"
    writer.close()
    server.close()


async def test_a_client_of_the_network_has_its_address_and_that_of_our_end():
    loop = asyncio.get_running_loop()
    found = loop.create_future()

    class Protocol(asyncio.Protocol):
        def connection_made(self, transport):
            found.set_result(remote_client(transport))
            transport.close()

    server = await loop.create_server(Protocol, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    _reader, writer = await asyncio.open_connection("127.0.0.1", port)
    client = await found
    assert (client.address, client.port) == writer.get_extra_info("sockname")
    assert (client.server_address, client.server_port) == ("127.0.0.1", port)
    writer.close()
    server.close()
