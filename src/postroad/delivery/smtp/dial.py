"""Opens connections: sockets, local addresses, the handshake, and the words for what fails."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import os
import socket
from collections.abc import Callable, Sequence

from postroad.delivery.smtp import params as p
from postroad.delivery.smtp.connection import Connection
from postroad.delivery.smtp.context import BIND_FAILED, ClientContext
from postroad.delivery.smtp.filtered import FilteredConnection, ReplyFilter
from postroad.delivery.smtp.lane import Lane
from postroad.delivery.smtp.security import Bond
from postroad.model.outcome import Outcome
from postroad.proto.client_values import Peer


class Dialer:
    """Connects to hosts.  ``own`` are the addresses that this system receives mail on.

    When those are one for IPv4 or IPv6, as on a virtual host, mail goes out from it too.
    """

    def __init__(self, context: ClientContext, own: Sequence[str] = (), reply_filter: ReplyFilter | None = None) -> None:  # fmt: skip  # noqa: E501
        self._context = context
        self._reply_filter = reply_filter
        client = context.client
        self._timeout = client[p.CONNECT_TIMEOUT] or None
        self._enforce = client[p.BIND_ADDRESS_ENFORCE]
        self._local = {
            socket.AF_INET: client[p.BIND_ADDRESS].strip("[]") or _only(own, 4),
            socket.AF_INET6: client[p.BIND_ADDRESS6].strip("[]") or _only(own, 6),
        }
        self._asked_for = {
            socket.AF_INET: bool(client[p.BIND_ADDRESS]),
            socket.AF_INET6: bool(client[p.BIND_ADDRESS6]),
        }

    async def connect(self, peer: Peer, lane: Lane, bond: Bond | None = None) -> Connection | Outcome:
        """Return a connection whose handshake has ended (``session.failure`` says how), or a failure."""
        loop = self._context.loop
        ready: asyncio.Future[None] = loop.create_future()

        def then(_: Connection) -> None:
            if not ready.done():
                ready.set_result(None)

        connection = self._connection(peer, lane, then, bond)
        where = f"{peer.host}:{peer.port}" if peer.port else peer.host
        sock: socket.socket | None = None
        try:
            sock = self._socket(peer)
            if sock is None:
                return Outcome("4.4.0", "server configuration error")
            target = (peer.address, peer.port) if peer.port else self._path(peer.address)
            await reach(loop, sock, target, self._timeout)
            opener = loop.create_connection if peer.port else loop.create_unix_connection
            await opener(lambda: connection, sock=sock)
        except OSError as error:  # TimeoutError is one
            if sock is not None:
                sock.close()
            return Outcome("4.4.1", f"connect to {where}: {_reason(error)}")
        except BaseException:
            if sock is not None:
                sock.close()
            raise
        await ready
        return connection

    def _connection(self, peer: Peer, lane: Lane, then: Callable[[Connection], None], bond: Bond | None) -> Connection:  # fmt: skip  # noqa: E501
        look_up = self._reply_filter
        if look_up is None:
            return Connection(self._context, peer, lane, then, bond)
        return FilteredConnection(look_up, self._context, peer, lane, then, bond)

    def _path(self, path: str) -> str:
        return os.path.join(self._context.queue_directory, path)  # noqa: PTH118 - text for connect(2)

    def _socket(self, peer: Peer) -> socket.socket | None:
        """Return a socket bound as configured, None when it cannot be and must."""
        if not peer.port:
            family = socket.AF_UNIX
        else:
            family = socket.AF_INET6 if ":" in peer.address else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.setblocking(False)
        local = self._local.get(family)
        if local:
            try:
                sock.bind((local, 0))
            except OSError as error:
                self._context.emit(BIND_FAILED, local, error.strerror)
                if self._enforce and self._asked_for[family]:
                    sock.close()
                    return None
        return sock


async def reach(loop: asyncio.AbstractEventLoop, sock: socket.socket, target: tuple[str, int] | str, limit: float | None) -> None:  # fmt: skip  # noqa: E501
    """Connect a socket to an address; OSError when that fails or takes longer than ``limit`` seconds.

    uvloop's sock_connect asks getaddrinfo, in another thread, even for an address.  And a host that
    is near has answered by the time it is asked again, without a turn of the loop.
    """
    error = sock.connect_ex(target)
    if error == errno.EINPROGRESS:
        error = sock.connect_ex(target)
    if error in (errno.EINPROGRESS, errno.EALREADY):
        error = await _answer(loop, sock, limit)
    if error not in (0, errno.EISCONN):
        raise OSError(error, os.strerror(error))


async def _answer(loop: asyncio.AbstractEventLoop, sock: socket.socket, limit: float | None) -> int:
    """Wait until a connection is there or has failed; returns the system's error number."""
    answered = asyncio.Event()
    loop.add_writer(sock, answered.set)
    try:
        async with asyncio.timeout(limit):
            await answered.wait()
    finally:
        loop.remove_writer(sock)
    return sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)


def _only(own: Sequence[str], version: int) -> str:
    """Return the one address of this version, "" when there are more or it is a loopback address."""
    addresses = [a for a in map(ipaddress.ip_address, own) if a.version == version]
    if len(addresses) == 1 and not addresses[0].is_loopback:
        return str(addresses[0])
    return ""


def _reason(error: OSError) -> str:
    """Return the system's words, not the library's."""
    if error.errno is not None:
        return os.strerror(error.errno)
    if isinstance(error, TimeoutError):
        return "Connection timed out"
    return str(error)
