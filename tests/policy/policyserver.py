"""A policy server whose answers a test chooses, on a free port or a UNIX socket."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import asynccontextmanager

Says = Callable[[dict[str, str]], bytes | None]


class Server:
    """``asked`` has (number of the connection, attributes) of each question; None hangs up."""

    def __init__(self, says: Says) -> None:
        self.says = says
        self.asked: list[tuple[int, dict[str, str]]] = []
        self.order: list[str] = []
        self.connections = 0
        self.open: set[asyncio.StreamWriter] = set()
        self.silent = asyncio.Event()
        self.address = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        number = self.connections
        self.open.add(writer)
        try:
            while True:
                lines = (await reader.readuntil(b"\n\n")).decode("utf-8", "surrogateescape").split("\n")
                attributes = dict(line.split("=", 1) for line in lines if line)
                self.order = list(attributes)
                self.asked.append((number, attributes))
                answer = self.says(attributes)
                if answer is None:
                    return
                if answer == b"(silence)":
                    await self.silent.wait()
                writer.write(answer)
                await asyncio.sleep(0)
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            self.open.discard(writer)
            writer.close()

    def drop(self) -> None:
        """Close every connection."""
        for writer in list(self.open):
            writer.transport.abort()


@asynccontextmanager
async def policy_server(says: Says, path: str = "", port: int = 0):
    server = Server(says)
    if path:
        listener = await asyncio.start_unix_server(server.serve, path)
        server.address = f"unix:{path}"
    else:
        listener = await asyncio.start_server(server.serve, "127.0.0.1", port)
        server.address = f"inet:127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    try:
        yield server
    finally:
        listener.close()
        server.silent.set()
        server.drop()
        await asyncio.sleep(0)


def always(action: str) -> Says:
    return lambda _attributes: f"action={action}\n\n".encode()
