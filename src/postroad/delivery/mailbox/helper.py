"""The privileged helper: takes typed requests from workers, and forks a writer for each owner.

It runs as root and does one thing: it checks who a mailbox belongs to and where it may lie, and
hands the request to a child that has given up every right but those of that owner.  It never opens
a mailbox and never reads a content.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import sys
from collections import deque
from dataclasses import dataclass
from typing import Final

import msgspec

from postroad.base.clock import SystemClock
from postroad.delivery.mailbox import wire
from postroad.delivery.mailbox.folder import parts_of
from postroad.delivery.mailbox.owner import become, work
from postroad.delivery.mailbox.request import Delivery, Result

#: Writers at one time, each with the rights of one owner.
MOST_WRITERS: Final = 16
#: Requests that wait for a writer; a worker that sends more is not listened to until there are fewer.
MOST_WAITING: Final = 256


@dataclass(frozen=True)
class Bounds:
    """What the helper does at most, whatever it is asked: set by the supervisor, not by requests."""

    bases: tuple[bytes, ...]
    minimum_uid: int = 100
    minimum_gid: int = 1

    def complaint(self, delivery: Delivery) -> str:
        """Return why a delivery is not made, "" when it may be."""
        if delivery.uid < max(self.minimum_uid, 1):
            return f"user ID {delivery.uid} is lower than {self.minimum_uid}"
        if delivery.gid < max(self.minimum_gid, 1):
            return f"group ID {delivery.gid} is lower than {self.minimum_gid}"
        if delivery.base not in self.bases or not delivery.base.startswith(b"/"):
            return f"{os.fsdecode(delivery.base)} is not a place for mailboxes"
        try:
            parts_of(delivery.path)
        except ValueError as error:
            return str(error)
        return ""


class _Child:
    """A writer process; ``open`` are the numbers of the requests that it has not answered."""

    __slots__ = ("end", "open", "pid")

    def __init__(self, pid: int, end: socket.socket) -> None:
        self.pid = pid
        self.end = end
        self.open: set[int] = set()


class Helper:
    """Serves one worker over one socket, until the worker closes it."""

    def __init__(self, worker: socket.socket, bounds: Bounds) -> None:
        self._worker = worker
        self._bounds = bounds
        self._children: dict[tuple[int, int], _Child] = {}
        self._waiting: deque[tuple[wire.Request, bytes, int]] = deque()
        self._selector = selectors.DefaultSelector()
        self._listening = False

    def run(self) -> None:
        """Serve; returns when the worker has gone and its writers have ended."""
        self._listen(on=True)
        try:
            while self._turn():
                pass
        finally:
            for owner in list(self._children):
                self._end(owner)

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
        """Read one request; False when the worker has gone, or talks nonsense."""
        try:
            packet, fd = wire.receive(self._worker)
        except OSError:
            return False
        if not packet:
            return False
        try:
            request = wire.decode_request(packet)
        except msgspec.DecodeError:
            _close(fd)
            return False
        complaint = self._bounds.complaint(request.delivery)
        if complaint or (request.data is None) != (fd >= 0):
            _close(fd)
            self._answer(
                request.number, Result("4.3.5", f"mailbox delivery refused: {complaint or 'no content'}")
            )
            return True
        self._waiting.append((request, packet, fd))
        self._hand_out()
        return True

    def _hand_out(self) -> None:
        """Give waiting requests to their writers, as long as these have room."""
        for _ in range(len(self._waiting)):
            request, packet, fd = self._waiting.popleft()
            if not self._send(request, packet, fd):
                self._waiting.append((request, packet, fd))
        self._listen(on=len(self._waiting) < MOST_WAITING)

    def _send(self, request: wire.Request, packet: bytes, fd: int) -> bool:
        """Give one request away; False when it has to wait for a writer."""
        child = self._child(request.delivery)
        if child is None:
            return False
        try:
            wire.send(child.end, packet, fd, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False  # it has plenty to do; its next answer makes room
        except OSError as error:
            self._answer(request.number, Result("4.3.0", f"mailbox writer: {error.strerror}"))
        else:
            child.open.add(request.number)
        _close(fd)
        return True

    def _child(self, delivery: Delivery) -> _Child | None:
        """Return the writer for the owner of a mailbox; None while all are busy for others."""
        owner = (delivery.uid, delivery.gid)
        child = self._children.pop(owner, None)
        if child is None:
            if len(self._children) >= MOST_WRITERS and not self._end_idle():
                return None
            child = self._fork(owner)
        self._children[owner] = child  # the last used are last
        return child

    def _end_idle(self) -> bool:
        for owner, child in self._children.items():
            if not child.open:
                self._end(owner)
                return True
        return False

    def _fork(self, owner: tuple[int, int]) -> _Child:
        ours, theirs = wire.pair()
        pid = os.fork()
        if pid == 0:
            try:
                # The child keeps its own end and nothing else of ours.
                self._selector.close()
                for inherited in [ours, self._worker, *(child.end for child in self._children.values())]:
                    inherited.close()
                become(*owner)
                work(theirs, SystemClock())
            finally:
                os._exit(0)
        theirs.close()
        child = _Child(pid, ours)
        self._selector.register(ours, selectors.EVENT_READ, owner)
        return child

    def _pass_answer(self, owner: tuple[int, int]) -> None:
        child = self._children.get(owner)
        if child is None:
            return
        try:
            packet, fd = wire.receive(child.end)
            _close(fd)
            answer = wire.decode_answer(packet) if packet else None
        except (OSError, msgspec.DecodeError):
            answer = None
        if answer is None or answer.number not in child.open:
            self._end(owner)  # it died, or was made to talk nonsense
        else:
            child.open.remove(answer.number)
            self._answer(answer.number, answer.result)
        self._hand_out()

    def _end(self, owner: tuple[int, int]) -> None:
        child = self._children.pop(owner)
        self._selector.unregister(child.end)
        child.end.close()
        os.waitpid(child.pid, 0)
        for number in child.open:
            self._answer(number, Result("4.3.0", "mailbox writer ended unexpectedly"))

    def _answer(self, number: int, result: Result) -> None:
        # A worker that has gone is found out by the next turn.
        with contextlib.suppress(OSError):
            wire.send(self._worker, wire.encode(wire.Answer(number, result)))


def _close(fd: int) -> None:
    if fd >= 0:
        os.close(fd)


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
