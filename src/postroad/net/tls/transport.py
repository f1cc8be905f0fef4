"""Stands where asyncio's transport stood, and encrypts what is written."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from postroad.net.tls.errors import TlsError
from postroad.net.tls.pipe import TlsPipe


class TlsTransport(asyncio.Transport):
    """An asyncio transport under TLS: the protocol gives what comes to ``receive``, and goes on as before."""

    __slots__ = ("_transport", "pipe")

    def __init__(self, transport: asyncio.Transport, pipe: TlsPipe) -> None:
        super().__init__()
        self._transport = transport
        self.pipe = pipe

    def start(self) -> None:
        """Client: send the first message."""
        self.pipe.start()
        self._flush()

    def receive(self, data: bytes) -> bytes:
        """Return the plain text of bytes that came, and send what TLS itself has to say.

        TlsError, after the alert to the peer is on its way.
        """
        try:
            return self.pipe.receive(data)
        finally:
            self._flush()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send plain text."""
        if not data or self._transport.is_closing():
            return
        try:
            self.pipe.send(data)  # type: ignore[arg-type]
        except TlsError:
            self._transport.abort()
            return
        self._flush()

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        """Send plain text in pieces, as few records as they need."""
        self.write(b"".join(list_of_data))

    def close(self) -> None:
        """Send what is written, say that no more comes, close."""
        if not self._transport.is_closing():
            self.pipe.close()
            self._flush()
        self._transport.close()

    def abort(self) -> None:
        """Close at once."""
        self._transport.abort()

    def is_closing(self) -> bool:
        """Return whether it is closed, or about to be."""
        return self._transport.is_closing()

    def can_write_eof(self) -> bool:
        """Return False: TLS has no half-closed state of its own."""
        return False

    def is_reading(self) -> bool:
        """Return whether bytes come."""
        return self._transport.is_reading()

    def pause_reading(self) -> None:
        """Let no bytes come."""
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Let bytes come again."""
        self._transport.resume_reading()

    def get_write_buffer_size(self) -> int:
        """Return how many bytes, encrypted, wait to be sent."""
        return self._transport.get_write_buffer_size()

    def get_write_buffer_limits(self) -> tuple[int, int]:
        """Return the low and the high mark."""
        return self._transport.get_write_buffer_limits()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Set the marks at which the protocol is told to pause and to go on."""
        self._transport.set_write_buffer_limits(high, low)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return what the transport below knows."""
        return self._transport.get_extra_info(name, default)

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Hand the bytes to another protocol."""
        self._transport.set_protocol(protocol)

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Return the protocol that gets the bytes."""
        return self._transport.get_protocol()

    def _flush(self) -> None:
        out = self.pipe.take()
        if out:
            self._transport.write(out)
