"""Stands between a client and a server, carries every byte, and remembers every line with its time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from postroad.base.tasks import spawn

_READ = 65536


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a dialogue without its line end: when it passed (steady seconds), who said it (C or S)."""

    at: float
    who: str
    text: str


class Recorder:
    """Makes lines of the pieces of a dialogue, wherever they are cut; for ``Dialogue(listener=...)``."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._rest = {"C": b"", "S": b""}
        self.lines: list[Line] = []

    def heard(self, who: str, data: bytes) -> None:
        """Take a piece of what one side says."""
        at = self._now()
        *lines, self._rest[who] = (self._rest[who] + data).split(b"\n")
        self.lines += [Line(at, who, _shown(line)) for line in lines]


class Tap:
    """Listens on a free port and relays to ``target`` (host, port), which may be set later."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._server: asyncio.Server | None = None
        self._relays: set[asyncio.Task[None]] = set()
        self.target = ("127.0.0.1", 0)
        self.lines: list[Line] = []

    @property
    def port(self) -> int:
        """Return the port that it listens on."""
        assert self._server is not None
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def listen(self, address: str = "127.0.0.1") -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._accepted, address, 0)

    def close(self) -> None:
        """End every relay."""
        if self._server is not None:
            self._server.close()
        for relay in list(self._relays):
            relay.cancel()

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = spawn(self._relay(reader, writer), "tap")
        self._relays.add(task)
        task.add_done_callback(self._relays.discard)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.open_connection(*self.target)
        except OSError:
            writer.close()
            return
        try:
            await asyncio.gather(self._carry("C", reader, back), self._carry("S", there, writer))
        except OSError:
            return  # one side has gone; the other hears of it by the close below
        finally:
            writer.close()
            back.close()

    async def _carry(self, who: str, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        unfinished = b""
        while data := await source.read(_READ):
            at = self._now()
            *lines, unfinished = (unfinished + data).split(b"\n")
            self.lines += [Line(at, who, _shown(line)) for line in lines]
            sink.write(data)
            await sink.drain()
        if unfinished:
            self.lines.append(Line(self._now(), who, _shown(unfinished)))
        if sink.can_write_eof():
            sink.write_eof()


def _shown(line: bytes) -> str:
    return line.removesuffix(b"\r").decode("utf-8", "replace")
