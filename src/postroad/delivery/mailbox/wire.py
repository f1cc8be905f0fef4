"""What the worker and the privileged helper say to each other: one packet, one message.

The socket is a pair of AF_UNIX SOCK_SEQPACKET.  A small content travels inside the packet, a large
one as an open file (SCM_RIGHTS) behind it.
"""

from __future__ import annotations

import array
import os
import socket
from collections.abc import Iterator
from typing import Final

import msgspec

from postroad.base.errors import StoreUnavailable
from postroad.delivery.mailbox.request import Delivery, Result

#: The largest content that travels inside a packet, and the largest packet that is read.
INLINE: Final = 65536
PACKET: Final = INLINE + 32768


class Request(msgspec.Struct, frozen=True, array_like=True):
    """A delivery to make.  ``data`` is the content, None when it comes as a file of ``size`` bytes."""

    number: int
    delivery: Delivery
    data: bytes | None
    size: int


class Answer(msgspec.Struct, frozen=True, array_like=True):
    """What became of the delivery of that number."""

    number: int
    result: Result


encode = msgspec.msgpack.Encoder().encode
decode_request = msgspec.msgpack.Decoder(Request).decode
decode_answer = msgspec.msgpack.Decoder(Answer).decode


def pair() -> tuple[socket.socket, socket.socket]:
    """Return the two ends of a connection."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def send(end: socket.socket, packet: bytes, fd: int = -1, flags: int = 0) -> None:
    """Send one packet, with an open file if ``fd`` says so."""
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))] if fd >= 0 else []
    end.sendmsg([packet], rights, flags)


def receive(end: socket.socket, flags: int = 0) -> tuple[bytes, int]:
    """Return one packet and the open file that came with it (-1 for none); b"" when the peer is gone.

    More than one file, or a packet that is too large, counts as a peer that is gone.
    """
    room = socket.CMSG_SPACE(8 * array.array("i").itemsize)
    packet, ancillary, got, _ = end.recvmsg(PACKET, room, flags | socket.MSG_CMSG_CLOEXEC)
    fds = array.array("i")
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            fds.frombytes(data[: len(data) - len(data) % fds.itemsize])
    if len(fds) > 1 or got & (socket.MSG_TRUNC | socket.MSG_CTRUNC):
        close_all(fds)
        return b"", -1
    return packet, fds[0] if fds else -1


def close_all(fds: array.array[int]) -> None:
    """Close files that nobody asked for."""
    for fd in fds:
        os.close(fd)


class FileContent:
    """A content in an open file."""

    __slots__ = ("data", "fd", "size")

    def __init__(self, fd: int, size: int) -> None:
        self.data = None
        self.fd = fd
        self.size = size

    def pieces(self, size: int = 262144) -> Iterator[bytes]:
        """Yield the text in pieces; StoreUnavailable when the file is shorter than was said."""
        at = 0
        while at < self.size:
            try:
                piece = os.pread(self.fd, min(size, self.size - at), at)
            except OSError as error:
                raise StoreUnavailable(f"content cannot be read: {error}") from error
            if not piece:
                raise StoreUnavailable("content is shorter than it should be")
            yield piece
            at += len(piece)

    def close(self) -> None:
        """Close the file."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1
