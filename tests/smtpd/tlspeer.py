"""A client that speaks TLS in memory, so that a test decides which bytes go out, and when."""

from __future__ import annotations

import asyncio
import contextlib
import ssl

from patience import until
from peers.certificates import Pair

from .conftest import Peer


def context(certificate: Pair | None = None, folder=None):
    made = ssl.create_default_context()
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    if certificate is not None:
        chain, key = certificate.write(folder, "client")
        made.load_cert_chain(chain, key)
    return made


async def ended(stand):
    """Wait until the log has the end of the last session."""
    await until(lambda: stand.log and " disconnect from " in stand.log[-1])


class TlsPeer(Peer):
    """A peer that is encrypted from ``shake`` on."""

    def __init__(self, reader, writer):
        super().__init__(reader, writer)
        self.tls = None
        self._lines = b""

    async def starttls(self, *, ask=True, **options):
        """Say STARTTLS and shake hands."""
        if ask:
            assert await self.ask("STARTTLS") == "220 2.0.0 Ready to start TLS"
        await self.shake(**options)

    def begin(self, made=None, session=None):
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        made = made or context()
        self.tls = made.wrap_bio(
            self.incoming, self.outgoing, server_hostname="mx.example.test", session=session
        )

    async def shake(self, made=None, session=None):
        self.begin(made, session)
        await self._until(self.tls.do_handshake)

    async def _until(self, call):
        while True:
            try:
                return call()
            except ssl.SSLWantReadError:
                await self.flush()
                data = await asyncio.wait_for(self.reader.read(65536), 30)
                if data:
                    self.incoming.write(data)
                else:
                    self.incoming.write_eof()
            finally:
                await self.flush()

    async def flush(self):
        data = self.outgoing.read()
        if data:
            self.writer.write(data)
            await self.writer.drain()

    def encrypt(self, text):
        """Return the bytes of the wire for a text."""
        self.tls.write(text if isinstance(text, bytes) else text.encode())
        return self.outgoing.read()

    async def send(self, text):
        if self.tls is None:
            await super().send(text)
        else:
            self.writer.write(self.encrypt(text))
            await self.writer.drain()

    async def reply(self):
        if self.tls is None:
            return await super().reply()
        lines = []
        while True:
            while b"\n" not in self._lines:
                try:
                    more = await self._until(lambda: self.tls.read(65536))
                except (ssl.SSLZeroReturnError, ssl.SSLEOFError, ConnectionError):
                    more = b""
                if not more:
                    return "(closed)"
                self._lines += more
            line, _, self._lines = self._lines.partition(b"\n")
            lines.append(line.decode().rstrip("\r"))
            if lines[-1][3:4] != "-":
                return "\n".join(lines)

    async def close_notify(self):
        """Say that no more comes."""
        with contextlib.suppress(ssl.SSLWantReadError):
            self.tls.unwrap()
        await self.flush()


async def upgraded(port, **options):
    """Return a client that has said STARTTLS."""
    peer = await TlsPeer.connect(port)
    await peer.reply()
    assert "250-STARTTLS" in await peer.ask("EHLO x")
    await peer.starttls(**options)
    return peer
