"""The worker's end of the privileged helper."""

from __future__ import annotations

import asyncio
import os
import socket
from collections import deque
from typing import NamedTuple

import msgspec

from postroad.base.errors import StoreUnavailable
from postroad.delivery.mailbox import wire
from postroad.delivery.mailbox.direct import Then
from postroad.delivery.mailbox.files import write_all
from postroad.delivery.mailbox.request import Delivery, Result
from postroad.model.message import Content, Text

_GONE = Result("4.3.0", "mailbox helper is not running", ("mailbox helper is not running",))
_Owner = tuple[int, int]


class _Job(NamedTuple):
    """A delivery to a Maildir, encoded, with its content, that waits for the batch before."""

    request: msgspec.Raw
    data: bytes
    then: Then


class _Line:
    """What waits for an owner's Maildirs, and the file that its batches travel in, one after the other.

    A file that is used again costs a sixth of a new one, which is given fresh memory (0.6 instead
    of 4 us for 10 KiB).  The batch that was in it has been answered then.
    """

    __slots__ = ("fd", "jobs", "owner")

    def __init__(self, owner: _Owner) -> None:
        self.owner = owner
        self.jobs: deque[_Job] = deque()
        self.fd = -1

    def take(self) -> list[_Job]:
        """Remove and return what makes the next batch."""
        jobs: list[_Job] = []
        requests = size = 0
        while self.jobs and len(jobs) < wire.BATCH and size < wire.BATCH_BYTES:
            requests += len(self.jobs[0].request)
            if requests > wire.REQUESTS:
                break
            jobs.append(self.jobs.popleft())
            size += len(jobs[-1].data)
        return jobs

    def file_of(self, jobs: list[_Job]) -> int:
        """Return the file, with the contents of a batch."""
        if self.fd < 0:
            self.fd = wire.memory()
        wire.put(self.fd, [job.data for job in jobs])
        return self.fd

    def close(self) -> None:
        """Close the file."""
        wire.close_all([self.fd])
        self.fd = -1


class _Asked:
    """A batch that was sent: who waits for its results, in its order; ``line`` waits to send the next."""

    __slots__ = ("answered", "line", "thens")

    def __init__(self, thens: list[Then], line: _Line | None = None) -> None:
        self.thens = thens
        self.line = line
        self.answered = 0


class _Packet(NamedTuple):
    """A packet to send, with an open file, which is ours to close unless it is a line's."""

    data: bytes
    fd: int
    ours: bool


class HelperWriter:
    """Writes mailboxes of other users, by asking the helper.  One per worker.

    What comes for an owner's Maildirs while a batch of them is written makes the next batch.
    """

    def __init__(self, end: socket.socket, loop: asyncio.AbstractEventLoop) -> None:
        end.setblocking(False)
        self._end = end
        self._loop = loop
        self._number = 0
        self._asked: dict[int, _Asked] = {}
        self._lines: dict[_Owner, _Line] = {}  # there is one as long as a batch waits or is under way
        self._ready: list[_Line] = []  # those that send a batch at the end of this turn
        self._unsent: deque[_Packet] = deque()
        self._sending = False
        self._ended: asyncio.Event | None = None
        self._gone = False
        loop.add_reader(end, self._readable)

    def write(self, delivery: Delivery, content: Content, then: Then) -> None:
        """Ask for a delivery."""
        if self._gone:
            then(_GONE)
            return
        plain = isinstance(content, Text) and content.plain
        request = wire.encode(wire.Request(delivery, content.size, plain))
        if len(request) > wire.REQUESTS:
            then(Result("4.3.5", "mailbox delivery refused: the names in it are too long"))
        elif content.data is None or not delivery.is_maildir:
            self._send_alone(delivery, request, content, then)
        else:
            self._gather((delivery.uid, delivery.gid), _Job(msgspec.Raw(request), content.data, then))

    async def close(self) -> None:
        """Wait for what was asked for, then let the helper go."""
        if self._asked or self._lines:
            self._ended = asyncio.Event()
            await self._ended.wait()
        self._lose()

    # --- asking

    def _gather(self, owner: _Owner, job: _Job) -> None:
        line = self._lines.get(owner)
        if line is None:
            line = self._lines[owner] = _Line(owner)
            self._send_soon(line)
        line.jobs.append(job)

    def _send_soon(self, line: _Line) -> None:
        # At the end of this turn, so that all of the turn's deliveries are in the batch.
        if not self._ready:
            self._loop.call_soon(self._send_batches)
        self._ready.append(line)

    def _send_batches(self) -> None:
        ready, self._ready = self._ready, []
        for line in ready:
            if self._gone:
                return
            self._send_batch(line)

    def _send_batch(self, line: _Line) -> None:
        jobs = line.take()
        asked = _Asked([job.then for job in jobs], line)
        try:
            fd = line.file_of(jobs)
        except OSError as error:
            self._tell(asked, [(len(jobs), _unreadable(error))])
            return
        requests = [job.request for job in jobs]
        self._send(asked, line.owner, requests, fd, maildir=True)

    def _send_alone(self, delivery: Delivery, request: bytes, content: Content, then: Then) -> None:
        """Send what has to wait for a lock, or is a large file, as a batch of its own."""
        try:
            fd = _as_file(content)
        except (OSError, StoreUnavailable) as error:
            then(_unreadable(error))
            return
        owner = (delivery.uid, delivery.gid)
        self._send(_Asked([then]), owner, [msgspec.Raw(request)], fd, maildir=delivery.is_maildir)

    def _send(self, asked: _Asked, owner: _Owner, requests: list[msgspec.Raw], fd: int, *, maildir: bool) -> None:  # fmt: skip  # noqa: E501
        self._number += 1
        self._asked[self._number] = asked
        packet = wire.encode(wire.Batch(self._number, *owner, maildir, requests))
        self._unsent.append(_Packet(packet, fd, ours=asked.line is None))
        if not self._sending:
            self._writable()

    def _writable(self) -> None:
        while self._unsent:
            packet = self._unsent[0]
            try:
                wire.send(self._end, packet.data, packet.fd)
            except BlockingIOError:
                break
            except OSError:
                self._lose()
                return
            self._unsent.popleft()
            if packet.ours:
                os.close(packet.fd)
        self._send_later(on=bool(self._unsent))

    def _send_later(self, *, on: bool) -> None:
        if on and not self._sending:
            self._loop.add_writer(self._end, self._writable)
        elif self._sending and not on:
            self._loop.remove_writer(self._end)
        self._sending = on

    # --- answers

    def _readable(self) -> None:
        try:
            packet, fd = wire.receive(self._end)
            wire.close_all([fd])
            answer = wire.decode_answer(packet) if packet else None
        except BlockingIOError:
            return
        except (OSError, msgspec.DecodeError):
            answer = None
        if answer is None:
            self._lose()
            return
        asked = self._asked.get(answer.number)
        if asked is None:
            return
        if asked.answered + answer.count == len(asked.thens):
            del self._asked[answer.number]
        self._tell(asked, answer.runs)

    def _tell(self, asked: _Asked, runs: list[tuple[int, Result]]) -> None:
        """Hand results over; behind the last of a batch its line sends the next, with what these cause."""
        at = asked.answered
        asked.answered += sum(count for count, _ in runs)
        try:
            for count, result in runs:
                for then in asked.thens[at : at + count]:
                    then(result)
                at += count
        finally:
            if asked.line is not None and asked.answered == len(asked.thens) and not self._gone:
                self._go_on(asked.line)
            self._check_ended()

    def _go_on(self, line: _Line) -> None:
        if line.jobs:
            self._send_soon(line)
        else:
            line.close()
            del self._lines[line.owner]

    def _check_ended(self) -> None:
        if self._ended is not None and not self._asked and not self._lines:
            self._ended.set()

    def _lose(self) -> None:
        """Close our end; what was asked for and not answered is deferred, and may arrive twice."""
        if self._gone:
            return
        self._gone = True
        self._loop.remove_reader(self._end)
        self._send_later(on=False)
        self._end.close()
        wire.close_all(packet.fd for packet in self._unsent if packet.ours)
        self._unsent.clear()
        asked, self._asked = self._asked, {}
        lines, self._lines = self._lines, {}
        for each in asked.values():
            for then in each.thens[each.answered :]:
                then(_GONE)
        for line in lines.values():
            line.close()
            for job in line.jobs:
                job.then(_GONE)
        if self._ended is not None:
            self._ended.set()


def _unreadable(error: Exception) -> Result:
    return Result("4.3.0", f"content cannot be read: {error}")


def _as_file(content: Content) -> int:
    """Return an open file with the content: its own, if it has one, else one without a name."""
    path = getattr(content, "path", None)
    if path is not None:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    fd = wire.memory()
    try:
        for piece in content.pieces() if content.data is None else (content.data,):
            write_all(fd, piece)
    except BaseException:
        os.close(fd)
        raise
    return fd
