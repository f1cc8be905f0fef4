"""A listening socket: opened here or handed over, served, paused while there is no room."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from postroad.base.tasks import spawn

_BACKLOG = 1024


class Listener:
    """Accepts connections of one socket and makes a protocol for each.

    The socket stays open while the listener is paused, and after ``close``: clients wait in its queue,
    for this process or for one that shares the socket.  Its owner closes it.
    """

    def __init__(self, listening: socket.socket, protocol: Callable[[], asyncio.BaseProtocol]) -> None:
        self.socket = listening
        self._protocol = protocol
        self._server: asyncio.Server | None = None
        self._wanted = False
        self._changing = asyncio.Lock()

    @property
    def serving(self) -> bool:
        """Return whether connections are accepted now."""
        return self._server is not None

    async def start(self) -> None:
        """Accept connections."""
        self._wanted = True
        await self._follow()

    def pause(self, full: bool) -> None:
        """Accept no more while ``full``; again when not.  For ``Places(on_full=...)``."""
        if self._wanted is full:
            self._wanted = not full
            spawn(self._follow(), "listener")

    async def close(self) -> None:
        """Accept no more.  Connections that were accepted stay."""
        self._wanted = False
        await self._follow()

    async def _follow(self) -> None:
        """Make the state what is wanted; changes come one after the other."""
        async with self._changing:
            if self._wanted and self._server is None:
                self._server = await self._serve(self.socket.dup())
            elif not self._wanted and self._server is not None:
                server, self._server = self._server, None
                server.close()

    async def _serve(self, listening: socket.socket) -> asyncio.Server:
        loop = asyncio.get_running_loop()
        listening.setblocking(False)
        try:
            if listening.family == socket.AF_UNIX:
                return await loop.create_unix_server(
                    self._protocol, sock=listening, backlog=_BACKLOG, **_kept_path(loop)
                )
            return await loop.create_server(self._protocol, sock=listening, backlog=_BACKLOG)
        except BaseException:
            listening.close()
            raise


def listen_unix(path: str, mode: int = 0o666) -> socket.socket:
    """Return a socket that listens at a path; one that a dead server left there is replaced.

    OSError when the path is in use by a live server, or cannot be made.
    """
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        if Path(path).is_socket():
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
                try:
                    probe.connect(path)
                except ConnectionRefusedError:
                    Path(path).unlink()
        listening.bind(path)
        os.chmod(path, mode)  # noqa: PTH101 - the umask does not decide who may submit mail
        listening.listen(_BACKLOG)
    except BaseException:
        listening.close()
        raise
    return listening


def _kept_path(loop: asyncio.AbstractEventLoop) -> dict[str, Any]:
    """From Python 3.13 on, asyncio's own loops remove a UNIX socket's path unless they are told not to."""
    own = isinstance(loop, asyncio.SelectorEventLoop) and sys.version_info >= (3, 13)
    return {"cleanup_socket": False} if own else {}
