"""A milter that says what a test wants, honest or not."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable, Sequence
from contextlib import asynccontextmanager

CONTINUE, DIE, SILENCE = b"c", b"DIE", b"SILENCE"
Answers = Sequence[bytes] | Callable[[bytes], Sequence[bytes]]


def number(value: int) -> bytes:
    return struct.pack(">I", value)


class StubMilter:
    """Answers events by their letter: packets (letter and data), ``DIE``, or nothing for ``SILENCE``.

    ``seen`` has all packets of all connections, as letter and data; ``ends`` how many of them ended.
    ``raw`` is written as it stands in the place of the handshake's answer.
    """

    def __init__(self, answers=None, *, version=6, actions=0x1FF, events=0, symbols=b"", raw=None) -> None:
        self.answers: dict[str, Answers] = answers or {}
        self.terms = b"O" + struct.pack(">III", version, actions, events) + symbols
        self.raw = raw
        self.silent = {letter for letter, bit in _NO_REPLY.items() if events & bit}
        self.seen: list[tuple[str, bytes]] = []
        self.offers: list[tuple[int, int, int]] = []
        self.ends = 0
        self.ended = asyncio.Event()
        self.name = ""
        self._writers: set[asyncio.StreamWriter] = set()

    def letters(self, without: str = "DO") -> str:
        return "".join(letter for letter, _ in self.seen if letter not in without)

    def data(self, letter: str) -> list[bytes]:
        return [data for each, data in self.seen if each == letter]

    def macros(self, letter: str) -> dict[str, str]:
        """The macros that came last for an event."""
        found = [data[1:] for data in self.data("D") if data[:1] == letter.encode()][-1]
        words = [word.decode() for word in found.split(b"\0")[:-1]]
        return dict(zip(words[::2], words[1::2], strict=True))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while await self._one(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.ends += 1
            self.ended.set()
            self._writers.discard(writer)
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        (size,) = struct.unpack(">I", await reader.readexactly(4))
        packet = await reader.readexactly(size)
        letter, data = packet[:1].decode(), packet[1:]
        self.seen.append((letter, data))
        if letter == "O":
            self.offers.append(struct.unpack(">III", data))
            answers: Sequence[bytes] = self.answers.get("O", [self.terms])  # type: ignore[assignment]
            if self.raw is not None:
                writer.write(self.raw)
                return True
        elif letter in "DA" or letter in self.silent:
            return True
        elif letter == "Q":
            return False
        else:
            answers = self.answers.get(letter, [CONTINUE])  # type: ignore[assignment]
            if callable(answers):
                answers = answers(data)
        for answer in answers:
            if answer == DIE:
                await writer.drain()
                return False
            if answer != SILENCE:
                writer.write(number(len(answer)) + answer)
        return True

    def hang_up(self) -> None:
        """Close all connections."""
        for writer in self._writers:
            writer.close()


_NO_REPLY = {
    "L": 0x80, "C": 0x1000, "H": 0x2000, "M": 0x4000, "R": 0x8000, "T": 0x10000, "U": 0x20000,
    "N": 0x40000, "B": 0x80000,
}  # fmt: skip


@asynccontextmanager
async def serving(milter: StubMilter, path: str = ""):
    """Run a stub; its ``name`` is what smtpd_milters has for it."""
    if path:
        server = await asyncio.start_unix_server(milter.serve, path)
        milter.name = f"unix:{path}"
    else:
        server = await asyncio.start_server(milter.serve, "127.0.0.1", 0)
        milter.name = f"inet:127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield milter
    finally:
        milter.hang_up()
        server.close()
        await server.wait_closed()
