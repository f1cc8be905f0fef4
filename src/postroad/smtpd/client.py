"""Who is at the other end of a socket."""

from __future__ import annotations

import asyncio
import pwd
import socket
import struct

from postroad.model.client import Client

_PEER_CREDENTIALS = struct.Struct("3i")


def remote_client(transport: asyncio.Transport) -> Client:
    """Return the client at the other end of a TCP connection."""
    peer = transport.get_extra_info("peername") or ("unknown", 0)
    own = transport.get_extra_info("sockname") or ("", 0)
    return Client(plain_address(peer[0]), peer[1], server_address=plain_address(own[0]), server_port=own[1])


def plain_address(address: str) -> str:
    """An IPv4 address that came by an IPv6 socket is an IPv4 address; a zone is none of ours."""
    return address.removeprefix("::ffff:").partition("%")[0] if ":" in address else address


def local_client(transport: asyncio.Transport) -> Client:
    """The user at the other end of a UNIX socket, as the kernel has it."""
    raw = transport.get_extra_info("socket").getsockopt(
        socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER_CREDENTIALS.size
    )
    uid = _PEER_CREDENTIALS.unpack(raw)[1]
    try:
        login = pwd.getpwuid(uid).pw_name
    except KeyError:
        login = str(uid)
    return Client("127.0.0.1", name="localhost", name_code=2, trusted=True, local_uid=uid, login=login)
