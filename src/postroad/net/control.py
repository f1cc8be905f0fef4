"""The control socket: JSON lines over a UNIX socket, between the commands and the running server.

A request is one line, the reply is one line.  What is not a line of JSON within the limit ends
that connection and nothing else.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from postroad.base.errors import PostroadError
from postroad.base.tasks import spawn

MAX_REQUEST = 1 << 20  # bytes
MAX_REPLY = 16 << 20
_IDLE = 60.0  # seconds a client may take over one request
_CONNECTIONS = 64  # at one time; further ones are closed at once
_BUSY_REQUESTS = 8  # accepted requests that wait in the socket's backlog

Handler = Callable[[dict[str, Any], int], Awaitable[Mapping[str, Any]]]


class NotRunning(PostroadError):  # noqa: N818 - a state of the server
    """Nothing listens on the control socket."""


class ControlFailed(PostroadError):  # noqa: N818 - as above
    """The server listens, and gave no usable answer."""


def ask(path: str | Path, request: Mapping[str, Any], timeout: float = 30.0) -> dict[str, Any]:
    """Send a request and return the reply; ``timeout`` seconds for each step.

    A server that refuses says so in the reply's ``error``.  NotRunning when nothing listens there (or
    we may not connect), ControlFailed when no usable answer comes.
    """
    line = msgspec.json.encode(request) + b"\n"
    if len(line) > MAX_REQUEST:
        raise ControlFailed(f"the request is too long ({len(line)} bytes)")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
        peer.settimeout(timeout)
        try:
            peer.connect(str(path))
        except (OSError, ValueError) as error:
            raise NotRunning(f"connect to {path}: {getattr(error, 'strerror', None) or error}") from error
        try:
            peer.sendall(line)
            reply = _read_line(peer)
        except OSError as error:
            raise ControlFailed(f"no answer from {path}: {error}") from error
    try:
        return msgspec.json.decode(reply, type=dict[str, Any])
    except msgspec.MsgspecError as error:
        raise ControlFailed(f"malformed answer from {path}") from error


def _read_line(peer: socket.socket) -> bytes:
    gathered = bytearray()
    while not gathered.endswith(b"\n"):
        piece = peer.recv(262144)
        if not piece:
            raise ConnectionError("the connection was closed")
        gathered += piece
        if len(gathered) > MAX_REPLY:
            raise ConnectionError("the answer is too long")
    return bytes(gathered)


class ControlServer:
    """Answers requests at ``path``.

    ``handler(request, peer_uid)`` returns the reply; a PostroadError or ValueError of its becomes
    ``{"error": text}``, any other exception ``{"error": "internal error"}`` and a report.  ``mode``
    is the socket's: who may connect at all.
    """

    def __init__(self, path: str | Path, handler: Handler, mode: int = 0o600, report: Callable[[str, BaseException], None] | None = None) -> None:  # fmt: skip  # noqa: E501
        self.path = Path(path)
        self._handler = handler
        self._mode = mode
        self._report = report
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen.  A socket that nobody answers is replaced; OSError when somebody does."""
        if is_listening(self.path):
            raise OSError(f"{self.path} is in use by a running server")
        with contextlib.suppress(FileNotFoundError):
            self.path.unlink()
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            # Bound where nobody may connect yet, so that there is no moment with a wider mode.
            before = os.umask(0o777)
            try:
                listener.bind(str(self.path))
            finally:
                os.umask(before)
            self.path.chmod(self._mode)
            listener.setblocking(False)
            self._server = await asyncio.start_unix_server(
                self._accepted, sock=listener, limit=MAX_REQUEST, backlog=_BUSY_REQUESTS
            )
        except BaseException:
            listener.close()
            raise

    async def close(self) -> None:
        """Stop listening, end every connection, remove the socket."""
        if self._server is None:
            return
        self._server.close()
        for task in list(self._open):
            task.cancel()
        if self._open:
            await asyncio.wait(list(self._open), timeout=1)
        with contextlib.suppress(OSError):
            self.path.unlink()
        self._server = None

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._open) >= _CONNECTIONS:
            writer.transport.abort()
            return
        task = spawn(self._serve(reader, writer), "control")
        self._open.add(task)
        task.add_done_callback(self._open.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            uid = _uid(writer.get_extra_info("socket"))
            while True:
                async with asyncio.timeout(_IDLE):
                    line = await reader.readline()
                if not line.endswith(b"\n"):
                    return
                request = msgspec.json.decode(line, type=dict[str, Any])
                writer.write(_frame(await self._answer(request, uid)))
                async with asyncio.timeout(_IDLE):
                    await writer.drain()
        except (OSError, TimeoutError, ValueError, msgspec.MsgspecError):
            return  # garbage, silence or a lost peer: only this connection ends
        finally:
            writer.transport.abort() if writer.transport.is_closing() else writer.close()

    async def _answer(self, request: dict[str, Any], uid: int) -> Mapping[str, Any]:
        try:
            return await self._handler(request, uid)
        except (PostroadError, ValueError, LookupError) as error:
            return {"error": str(error)}
        except Exception as error:  # noqa: BLE001 - a defect must not end the control socket
            if self._report is not None:
                self._report("control", error)
            return {"error": "internal error"}


def _frame(reply: Mapping[str, Any]) -> bytes:
    line = msgspec.json.encode(reply) + b"\n"
    if len(line) > MAX_REPLY:
        line = b'{"error":"the answer is too long"}\n'
    return line


def _uid(peer: socket.socket) -> int:
    """Return who is at the other end, as the kernel knows it; -1 where the system cannot say."""
    if not hasattr(socket, "SO_PEERCRED"):
        return -1
    data = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    _pid, uid, _gid = struct.unpack("3i", data)
    return int(uid)


def is_listening(path: str | Path) -> bool:
    """Return whether somebody answers at a control socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        try:
            probe.connect(str(path))
        except (OSError, ValueError):
            return False
        return True
