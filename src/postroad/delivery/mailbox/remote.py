"""The worker's end of the privileged helper."""

from __future__ import annotations

import asyncio
import os
import socket
from collections import deque

import msgspec

from postroad.base.errors import StoreUnavailable
from postroad.delivery.mailbox import wire
from postroad.delivery.mailbox.direct import Then
from postroad.delivery.mailbox.request import Delivery, Result
from postroad.model.message import Content

_GONE = Result("4.3.0", "mailbox helper is not running", ("mailbox helper is not running",))


class HelperWriter:
    """Writes mailboxes of other users, by asking the helper.  One per worker."""

    def __init__(self, end: socket.socket, loop: asyncio.AbstractEventLoop) -> None:
        end.setblocking(False)
        self._end = end
        self._loop = loop
        self._number = 0
        self._open: dict[int, Then] = {}
        self._unsent: deque[tuple[bytes, int]] = deque()
        self._sending = False
        self._ended: asyncio.Event | None = None
        self._gone = False
        loop.add_reader(end, self._readable)

    def write(self, delivery: Delivery, content: Content, then: Then) -> None:
        """Ask for a delivery."""
        if self._gone:
            then(_GONE)
            return
        self._number += 1
        data = content.data if content.size <= wire.INLINE else None
        try:
            fd = -1 if data is not None else _as_file(content)
        except (OSError, StoreUnavailable) as error:
            then(Result("4.3.0", f"content cannot be read: {error}"))
            return
        self._open[self._number] = then
        self._unsent.append((wire.encode(wire.Request(self._number, delivery, data, content.size)), fd))
        if not self._sending:
            self._writable()

    async def close(self) -> None:
        """Wait for what was asked for, then let the helper go."""
        if self._open:
            self._ended = asyncio.Event()
            await self._ended.wait()
        self._lose()

    def _writable(self) -> None:
        while self._unsent:
            packet, fd = self._unsent[0]
            try:
                wire.send(self._end, packet, fd)
            except BlockingIOError:
                break
            except OSError:
                self._lose()
                return
            self._unsent.popleft()
            if fd >= 0:
                os.close(fd)
        self._send_later(on=bool(self._unsent))

    def _send_later(self, *, on: bool) -> None:
        if on and not self._sending:
            self._loop.add_writer(self._end, self._writable)
        elif self._sending and not on:
            self._loop.remove_writer(self._end)
        self._sending = on

    def _readable(self) -> None:
        try:
            packet, fd = wire.receive(self._end)
            if fd >= 0:
                os.close(fd)
            answer = wire.decode_answer(packet) if packet else None
        except BlockingIOError:
            return
        except (OSError, msgspec.DecodeError):
            answer = None
        if answer is None:
            self._lose()
            return
        then = self._open.pop(answer.number, None)
        if then is not None:
            then(answer.result)
        if self._ended is not None and not self._open:
            self._ended.set()

    def _lose(self) -> None:
        """Close our end; what was asked for and not answered is deferred, and may arrive twice."""
        if self._gone:
            return
        self._gone = True
        self._loop.remove_reader(self._end)
        self._send_later(on=False)
        self._end.close()
        for _, fd in self._unsent:
            if fd >= 0:
                os.close(fd)
        self._unsent.clear()
        waiting, self._open = self._open, {}
        for then in waiting.values():
            then(_GONE)
        if self._ended is not None:
            self._ended.set()


def _as_file(content: Content) -> int:
    """Return an open file with the content, which has no name anywhere."""
    fd = os.memfd_create("content", os.MFD_CLOEXEC)
    try:
        for piece in content.pieces():
            view = memoryview(piece)
            while view:
                view = view[os.write(fd, view) :]
    except BaseException:
        os.close(fd)
        raise
    return fd
