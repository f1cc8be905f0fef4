"""A connection without a socket: the server's own session, for somebody who only imagines a client."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from postroad.smtpd.connection import Connection
from postroad.smtpd.service import SmtpdService

_LINE = re.compile(rb"([0-9]{3})([ -])([^\r\n]*)\r\n")


class Answer(NamedTuple):
    """A whole reply; its lines are parted by line feeds.  Code 0: the server hung up without one."""

    code: int
    text: str


class Wire(asyncio.Transport):
    """Stands where a socket's transport stands."""

    def __init__(self, peer: tuple[str, int], own: tuple[str, int]) -> None:
        super().__init__({"peername": peer, "sockname": own})
        self._data = b""
        self._closing = False
        self._news = asyncio.Event()

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        """Take what the server says."""
        self._data += bytes(data)
        self._news.set()

    def writelines(self, list_of_data: Iterable[Any]) -> None:
        """Take several pieces."""
        self.write(b"".join(bytes(each) for each in list_of_data))

    def close(self) -> None:
        """The server hangs up."""
        self._closing = True
        self._news.set()

    abort = close

    def is_closing(self) -> bool:
        """Return whether it has hung up."""
        return self._closing

    def pause_reading(self) -> None:
        """Nobody sends more than one command at a time."""

    resume_reading = pause_reading

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """All that is written is read."""

    def get_write_buffer_size(self) -> int:
        """Return 0: see above."""
        return 0

    async def answer(self) -> Answer:
        """Wait for a whole reply."""
        lines: list[str] = []
        while True:
            while (found := _LINE.match(self._data)) is not None:
                self._data = self._data[found.end() :]
                lines.append(found[3].decode("utf-8", "surrogateescape"))
                if found[2] == b" ":
                    return Answer(int(found[1]), "\n".join(lines))
            if self._closing:
                return Answer(0, "(connection closed)")
            self._news.clear()
            await self._news.wait()


class Caller:
    """A client of a service that sends one command after the other."""

    def __init__(self, service: SmtpdService, peer: tuple[str, int], own: tuple[str, int]) -> None:
        self._wire = Wire(peer, own)
        self.connection = Connection(service)
        self.connection.connection_made(self._wire)

    async def greeting(self) -> Answer:
        """Return the first reply."""
        return await self._wire.answer()

    async def say(self, data: bytes) -> Answer:
        """Send something, and return the reply to it."""
        if self._wire.is_closing():
            return Answer(0, "(connection closed)")
        self.connection.data_received(data)
        return await self._wire.answer()

    def hang_up(self) -> None:
        """Be gone."""
        self.connection.connection_lost(None)
