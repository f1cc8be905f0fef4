"""The privileged helper: takes batches of deliveries from a worker, and forks a writer for each owner.

It runs as root and does one thing: it checks in whose name is to be written, and hands the batch to
a child that has given up every right but those of that owner.  It never opens a mailbox and never
reads a content, or what is to be written where: its child checks that against the same bounds.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import sys
from collections import deque
from typing import Final, NamedTuple

import msgspec

from postroad.base.clock import SystemClock
from postroad.delivery.mailbox import wire
from postroad.delivery.mailbox.bounds import Bounds
from postroad.delivery.mailbox.owner import become, work
from postroad.delivery.mailbox.request import Result

#: Writers at one time, each with the rights of one owner.
MOST_WRITERS: Final = 16
#: Batches that wait for a writer; a worker that sends more is not listened to until there are fewer.
MOST_WAITING: Final = 256
_FIRST_OURS: Final = 3  # behind the standard streams


class _Key(NamedTuple):
    """Who writes: one process an owner, and another for mboxes, whose locks no Maildir waits for."""

    uid: int
    gid: int
    maildir: bool


class _Child:
    """A writer process; ``open`` has the batches it was given, and the deliveries it has not answered."""

    __slots__ = ("end", "open", "pid")

    def __init__(self, pid: int, end: socket.socket) -> None:
        self.pid = pid
        self.end = end
        self.open: dict[int, int] = {}

    def answered(self, answer: wire.Answer) -> bool:
        """Note an answer; False for one that it was not asked for."""
        left = self.open.get(answer.number, 0) - answer.count
        if left < 0 or any(count < 1 for count, _ in answer.runs):
            return False
        self.open[answer.number] = left
        if not left:
            del self.open[answer.number]
        return True


class _Waiting(NamedTuple):
    """A batch that waits for its writer: what it says, the packet and the file as they came."""

    batch: wire.Batch
    packet: bytes
    fd: int


class Helper:
    """Serves one worker over one socket, until the worker closes it."""

    def __init__(self, worker: socket.socket, bounds: Bounds) -> None:
        self._worker = worker
        self._bounds = bounds
        self._children: dict[_Key, _Child] = {}
        self._waiting: deque[_Waiting] = deque()
        self._selector = selectors.DefaultSelector()
        self._listening = False

    def run(self) -> None:
        """Serve; returns when the worker has gone and its writers have ended."""
        self._listen(on=True)
        try:
            while self._turn():
                pass
        finally:
            for key in list(self._children):
                self._end(key)

    def _turn(self) -> bool:
        for key, _ in self._selector.select():
            if key.data is None:
                if not self._take():
                    return False
            else:
                self._pass_answer(key.data)
        return True

    def _listen(self, *, on: bool) -> None:
        if on != self._listening:
            self._listening = on
            if on:
                self._selector.register(self._worker, selectors.EVENT_READ)
            else:
                self._selector.unregister(self._worker)

    def _take(self) -> bool:
        """Read one batch; False when the worker has gone, or talks nonsense."""
        try:
            packet, fd = wire.receive(self._worker)
        except OSError:
            return False
        if not packet:
            return False
        try:
            batch = wire.decode_batch(packet)
        except msgspec.DecodeError:  # a batch of nothing is one, too
            wire.close_all([fd])
            return False
        complaint = self._bounds.owner_complaint(batch.uid, batch.gid) or ("" if fd >= 0 else "no content")
        if complaint:
            wire.close_all([fd])
            self._answer_all(batch.number, len(batch.requests), wire.refused(complaint))
            return True
        self._waiting.append(_Waiting(batch, packet, fd))
        self._hand_out()
        return True

    def _hand_out(self) -> None:
        """Give waiting batches to their writers, as long as these have room."""
        for _ in range(len(self._waiting)):
            waiting = self._waiting.popleft()
            if not self._send(waiting):
                self._waiting.append(waiting)
        self._listen(on=len(self._waiting) < MOST_WAITING)

    def _send(self, waiting: _Waiting) -> bool:
        """Give one batch away; False when it has to wait for a writer."""
        batch = waiting.batch
        child = self._child(_Key(batch.uid, batch.gid, batch.maildir))
        if child is None:
            return False
        try:
            wire.send(child.end, waiting.packet, waiting.fd, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False  # it has plenty to do; its next answer makes room
        except OSError as error:
            result = Result("4.3.0", f"mailbox writer: {error.strerror}")
            self._answer_all(batch.number, len(batch.requests), result)
        else:
            child.open[batch.number] = len(batch.requests)
        os.close(waiting.fd)
        return True

    def _child(self, key: _Key) -> _Child | None:
        """Return the writer for the owner of a mailbox; None while all are busy for others."""
        child = self._children.pop(key, None)
        if child is None:
            if len(self._children) >= MOST_WRITERS and not self._end_idle():
                return None
            child = self._fork(key)
        self._children[key] = child  # the last used are last
        return child

    def _end_idle(self) -> bool:
        for key, child in self._children.items():
            if not child.open:
                self._end(key)
                return True
        return False

    def _fork(self, key: _Key) -> _Child:
        ours, theirs = wire.pair()
        pid = os.fork()
        if pid == 0:
            try:
                # The child keeps its own end and nothing else of ours.
                kept = theirs.fileno()
                os.closerange(_FIRST_OURS, kept)
                os.closerange(kept + 1, os.sysconf("SC_OPEN_MAX"))
                become(key.uid, key.gid)
                work(theirs, self._bounds, SystemClock())
            finally:
                os._exit(0)
        theirs.close()
        child = _Child(pid, ours)
        self._selector.register(ours, selectors.EVENT_READ, key)
        return child

    def _pass_answer(self, key: _Key) -> None:
        child = self._children.get(key)
        if child is None:
            return
        try:
            packet, fd = wire.receive(child.end)
            wire.close_all([fd])
            answer = wire.decode_answer(packet) if packet else None
        except (OSError, msgspec.DecodeError):
            answer = None
        if answer is None or not child.answered(answer):
            self._end(key)  # it died, or was made to talk nonsense
        else:
            self._answer(packet)
        self._hand_out()

    def _end(self, key: _Key) -> None:
        child = self._children.pop(key)
        self._selector.unregister(child.end)
        child.end.close()
        os.waitpid(child.pid, 0)
        for number, left in child.open.items():
            self._answer_all(number, left, Result("4.3.0", "mailbox writer ended unexpectedly"))

    def _answer_all(self, number: int, count: int, result: Result) -> None:
        self._answer(wire.encode(wire.Answer(number, [(count, result)])))

    def _answer(self, packet: bytes) -> None:
        # A worker that has gone is found out by the next turn.
        with contextlib.suppress(OSError):
            wire.send(self._worker, packet)


def serve(worker: socket.socket, bounds: Bounds) -> None:
    """Serve one worker until it closes its end.  For a process of its own that runs as root."""
    Helper(worker, bounds).run()


def main(arguments: list[str]) -> int:
    """Run as ``python -m postroad.delivery.mailbox.helper FD MINIMUM_UID BASE...``."""
    # It ends when its worker does: signals to the whole group are the supervisor's to answer.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    fd, minimum_uid, *bases = arguments
    bounds = Bounds(tuple(os.fsencode(base) for base in bases), int(minimum_uid))
    serve(socket.socket(fileno=int(fd)), bounds)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
