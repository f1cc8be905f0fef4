"""A writer process: it has the rights of one owner of mailboxes, and writes what it is handed."""

from __future__ import annotations

import os
import select
import signal
import socket
import time
from collections.abc import Sequence
from typing import Final

from postroad.base.clock import Clock
from postroad.delivery.mailbox import mbox, wire
from postroad.delivery.mailbox.bounds import Bounds
from postroad.delivery.mailbox.maildir import MaildirWriter
from postroad.delivery.mailbox.request import Delivery, Result
from postroad.model.message import Content

#: Milliseconds without work after which nothing stays open, so that a file system can be unmounted.
_IDLE: Final = 1000


def become(uid: int, gid: int) -> None:
    """Give up every right but the owner's, for good; ends the process when that does not work."""
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    if os.getresuid() != (uid, uid, uid) or os.getresgid() != (gid, gid, gid) or uid == 0:
        os._exit(70)
    try:
        os.setuid(0)
    except PermissionError:
        os.umask(0o077)
        return
    os._exit(70)


def work(end: socket.socket, bounds: Bounds, clock: Clock) -> None:
    """Serve batches until the other end is closed."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the helper's end closes when it is time
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    writer = Writer(bounds, clock)
    ready = select.poll()
    ready.register(end, select.POLLIN)
    while True:
        if not ready.poll(_IDLE):
            writer.rest()
        packet, fd = wire.receive(end)
        if not packet:
            return
        batch = wire.decode_batch(packet)
        results = writer.write(batch, fd)
        os.close(fd)
        for answer in wire.answers_of(batch.number, results):
            wire.send(end, wire.encode(answer))


class Writer:
    """Writes batches for the owner that this process has the rights of."""

    def __init__(self, bounds: Bounds, clock: Clock) -> None:
        self._bounds = bounds
        self._clock = clock
        self._owner = (os.geteuid(), os.getegid())
        self._maildirs = MaildirWriter(clock)

    def write(self, batch: wire.Batch, fd: int) -> list[Result]:
        """Deliver a batch, whose contents are in the open file; the results are in its order."""
        results: dict[int, Result] = {}
        jobs: dict[int, tuple[Delivery, Content]] = {}
        begin = 0
        for at, raw in enumerate(batch.requests):
            request = wire.decode_request(raw)
            complaint = self._complaint(request.delivery)
            if complaint:
                results[at] = wire.refused(complaint)
            else:
                jobs[at] = (request.delivery, wire.content_at(fd, begin, request.size, plain=request.plain))
            begin += request.size
        results.update(zip(jobs, self._deliver(list(jobs.values()), maildir=batch.maildir), strict=True))
        return [results[at] for at in range(len(batch.requests))]

    def rest(self) -> None:
        """Close what is kept open."""
        self._maildirs.close()

    def _complaint(self, delivery: Delivery) -> str:
        if (delivery.uid, delivery.gid) != self._owner:
            return "another owner's mailbox"
        return self._bounds.complaint(delivery)

    def _deliver(self, jobs: Sequence[tuple[Delivery, Content]], *, maildir: bool) -> list[Result]:
        if maildir:
            return self._maildirs.deliver(jobs)
        return [mbox.deliver(delivery, content, self._clock, time.sleep) for delivery, content in jobs]
