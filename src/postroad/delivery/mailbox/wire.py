"""What the worker and the privileged helper say to each other: one packet, one message.

The socket is a pair of AF_UNIX SOCK_SEQPACKET.  A batch is a packet with what to write where, and
an open file (SCM_RIGHTS) with the contents, one behind the other: usually a piece of memory, so
that they are copied into it and out of it, and nowhere on the way.
"""

from __future__ import annotations

import array
import contextlib
import errno
import os
import socket
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Annotated, Final

import msgspec

from postroad.base.errors import StoreUnavailable
from postroad.delivery.mailbox.request import Delivery, Result
from postroad.model.message import Content, Text

#: The largest packet that is read, and how much of it is for requests.
PACKET: Final = 98304
REQUESTS: Final = 65536
#: Deliveries in a batch, and bytes of their contents.
BATCH: Final = 64
BATCH_BYTES: Final = 4 << 20
#: Different results in a packet: one may have a path in it several times.
_MOST_RUNS: Final = 4
_SMALL: Final = 65536


class Request(msgspec.Struct, frozen=True, array_like=True):
    """A delivery to make; its content is the next ``size`` bytes of the batch's file (see ``Text.plain``)."""

    delivery: Delivery
    size: int
    plain: bool = False


class Batch(msgspec.Struct, frozen=True, array_like=True):
    """Deliveries to make for one owner.  The requests are for the owner's writer to read."""

    number: int
    uid: int
    gid: int
    maildir: bool
    requests: Annotated[list[msgspec.Raw], msgspec.Meta(min_length=1)]


class Answer(msgspec.Struct, frozen=True, array_like=True):
    """What became of the next deliveries of a batch: each result stands for as many as its number says."""

    number: int
    runs: list[tuple[int, Result]]

    @property
    def count(self) -> int:
        """Return how many deliveries it is about."""
        return sum(count for count, _ in self.runs)


encode = msgspec.msgpack.Encoder().encode
decode_batch = msgspec.msgpack.Decoder(Batch).decode
decode_request = msgspec.msgpack.Decoder(Request).decode
decode_answer = msgspec.msgpack.Decoder(Answer).decode


def answers_of(number: int, results: Iterable[Result]) -> Iterator[Answer]:
    """Yield the answers that tell the results of a batch, in its order; mostly one."""
    runs = [(len(list(equal)), result) for result, equal in groupby(results)]
    for at in range(0, len(runs), _MOST_RUNS):
        yield Answer(number, runs[at : at + _MOST_RUNS])


def refused(complaint: str) -> Result:
    """Return the result of a delivery that is out of bounds."""
    return Result("4.3.5", f"mailbox delivery refused: {complaint}")


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


def close_all(fds: Iterable[int]) -> None:
    """Close files that nobody asked for; -1 stands for none."""
    for fd in fds:
        if fd >= 0:
            os.close(fd)


def memory() -> int:
    """Return an open file for contents, which has no name anywhere."""
    return os.memfd_create("contents", os.MFD_CLOEXEC)


def put(fd: int, contents: Sequence[bytes]) -> None:
    """Write contents from the beginning of a file, one behind the other."""
    size = sum(map(len, contents))
    if size and os.pwritev(fd, contents, 0) != size:  # no memory for more, or over 2 GiB
        raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))


class FileContent:
    """A content that is a piece of an open file, which is closed by somebody else."""

    __slots__ = ("_at", "_fd", "data", "size")

    def __init__(self, fd: int, at: int, size: int) -> None:
        self.data = None
        self.size = size
        self._fd = fd
        self._at = at

    def pieces(self, size: int = 262144) -> Iterator[bytes]:
        """Yield the text in pieces; StoreUnavailable when the file is shorter than was said."""
        at, end = self._at, self._at + self.size
        while at < end:
            try:
                piece = os.pread(self._fd, min(size, end - at), at)
            except OSError as error:
                raise StoreUnavailable(f"content cannot be read: {error}") from error
            if not piece:
                raise StoreUnavailable("content is shorter than it should be")
            yield piece
            at += len(piece)


def content_at(fd: int, at: int, size: int, *, plain: bool = False) -> Content:
    """Return a content that is a piece of an open file, in memory if it is small."""
    if size <= _SMALL:
        with contextlib.suppress(OSError):
            data = os.pread(fd, size, at)
            if len(data) == size:
                return Text(data, plain=plain)
    return FileContent(fd, at, size)  # which says what is wrong, when it is read
