"""The sockets of one service."""

from __future__ import annotations

import asyncio
import socket
from typing import Protocol

from postroad.listener.listener import Listener


class Serving(Protocol):
    """A service that clients come to."""

    def protocol(self) -> asyncio.Protocol:
        """Return the protocol of a new connection."""
        ...


class Doors:
    """The listeners of one service; they are shut while the service has no room."""

    def __init__(self) -> None:
        self._listeners: list[Listener] = []

    def add(self, sock: socket.socket, service: Serving) -> None:
        """Add a socket of the service."""
        self._listeners.append(Listener(sock, service.protocol))

    def shut(self, full: bool) -> None:
        """Accept nobody while ``full``."""
        for listener in self._listeners:
            listener.pause(full)

    async def open(self) -> None:
        """Accept connections."""
        for listener in self._listeners:
            await listener.start()

    async def close(self) -> None:
        """Accept no more, and give the sockets up."""
        for listener in self._listeners:
            await listener.close()
            listener.socket.close()
        self._listeners.clear()
