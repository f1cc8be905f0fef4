"""What supervisor and worker say to one another: JSON messages with file descriptors, over a socket pair.

A message is four bytes of length and a JSON object; descriptors travel with it (SCM_RIGHTS) and
``fds`` says how many are its own.
"""

from __future__ import annotations

import array
import asyncio
import os
import socket
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

Message = dict[str, Any]
_HEAD = 4
_MOST_FDS = 250  # the kernel takes 253 in one go (SCM_MAX_FD)


class Channel:
    """One end.  ``received(message, fds)`` is called for each message, ``closed()`` at the end."""

    def __init__(self, sock: socket.socket, received: Callable[[Message, list[int]], None], closed: Callable[[], None]) -> None:  # fmt: skip  # noqa: E501
        self._sock = sock
        self._received = received
        self._closed = closed
        self._in = bytearray()
        self._fds: deque[int] = deque()
        self._out: deque[tuple[bytes, Sequence[int]]] = deque()
        self._loop = asyncio.get_running_loop()
        sock.setblocking(False)
        self._loop.add_reader(sock.fileno(), self._readable)
        self._copies: list[int] = []  # descriptors that wait to be sent
        self._writing = False
        self.open = True

    def send(self, message: Message, fds: Sequence[int] = ()) -> None:
        """Send a message; it is queued if the other end is slow.  Nothing happens on a closed channel."""
        if not self.open:
            return
        if len(fds) > _MOST_FDS:
            raise ValueError(f"more than {_MOST_FDS} descriptors in one message")
        body = msgspec.json.encode(message | {"fds": len(fds)})
        self._out.append((len(body).to_bytes(_HEAD, "big") + body, fds))
        if not self._writing:
            self._writable()
        if fds and self._out and self._out[-1][1] is fds:
            # It waits, and the caller may close its descriptors meanwhile.
            copies = [os.dup(fd) for fd in fds]
            self._copies += copies
            self._out[-1] = (self._out[-1][0], copies)

    def close(self) -> None:
        """End it; descriptors that nobody took are closed."""
        if not self.open:
            return
        self.open = False
        self._loop.remove_reader(self._sock.fileno())
        if self._writing:
            self._loop.remove_writer(self._sock.fileno())
        self._sock.close()
        for fd in (*self._fds, *self._copies):
            os.close(fd)

    def _writable(self) -> None:
        try:
            while self._out:
                data, fds = self._out[0]
                rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
                sent = self._sock.sendmsg([data], rights)
                for fd in set(fds).intersection(self._copies):
                    self._copies.remove(fd)
                    os.close(fd)
                if sent == len(data):
                    self._out.popleft()
                else:
                    self._out[0] = (data[sent:], ())
        except BlockingIOError:
            if not self._writing:
                self._writing = True
                self._loop.add_writer(self._sock.fileno(), self._writable)
            return
        except OSError:
            self._end()
            return
        if self._writing:
            self._writing = False
            self._loop.remove_writer(self._sock.fileno())

    def _readable(self) -> None:
        try:
            data, fds, _flags, _address = socket.recv_fds(
                self._sock, 65536, _MOST_FDS, socket.MSG_CMSG_CLOEXEC
            )
        except BlockingIOError:
            return
        except OSError:
            self._end()
            return
        self._fds.extend(fds)
        if not data:
            self._end()
            return
        self._in += data
        while len(self._in) >= _HEAD:
            size = int.from_bytes(self._in[:_HEAD], "big")
            if len(self._in) < _HEAD + size:
                return
            message = msgspec.json.decode(bytes(self._in[_HEAD : _HEAD + size]))
            del self._in[: _HEAD + size]
            self._received(message, [self._fds.popleft() for _ in range(message.pop("fds", 0))])

    def _end(self) -> None:
        if self.open:
            self.close()
            self._closed()
