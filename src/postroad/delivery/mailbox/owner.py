"""A writer process: it has the rights of one owner of mailboxes, and writes what it is handed."""

from __future__ import annotations

import os
import signal
import socket
import time

from postroad.base.clock import Clock
from postroad.delivery.mailbox import maildir, mbox, wire
from postroad.delivery.mailbox.direct import BATCH
from postroad.model.message import Content, Text


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


def work(end: socket.socket, clock: Clock) -> None:
    """Serve requests until the other end is closed; what has gathered is one batch."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the helper's end closes when it is time
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    names = maildir.Names(clock)
    while True:
        batch = _gather(end)
        if not batch:
            return
        for answer in _deliver(batch, names, clock):
            wire.send(end, wire.encode(answer))


def _gather(end: socket.socket) -> list[tuple[wire.Request, Content]]:
    """Wait for one request, then take all that are there."""
    batch: list[tuple[wire.Request, Content]] = []
    flags = 0
    while len(batch) < BATCH:
        try:
            packet, fd = wire.receive(end, flags)
        except BlockingIOError:
            break
        if not packet:
            break
        request = wire.decode_request(packet)
        content: Content = (
            Text(request.data) if request.data is not None else wire.FileContent(fd, request.size)
        )
        batch.append((request, content))
        flags = socket.MSG_DONTWAIT
    return batch


def _deliver(
    batch: list[tuple[wire.Request, Content]], names: maildir.Names, clock: Clock
) -> list[wire.Answer]:
    answers = []
    maildirs = [(request, content) for request, content in batch if request.delivery.is_maildir]
    results = maildir.deliver_all([(request.delivery, content) for request, content in maildirs], names)
    for (request, _), result in zip(maildirs, results, strict=True):
        answers.append(wire.Answer(request.number, result))
    for request, content in batch:
        if not request.delivery.is_maildir:
            result = mbox.deliver(request.delivery, content, clock, time.sleep)
            answers.append(wire.Answer(request.number, result))
    for _, content in batch:
        if isinstance(content, wire.FileContent):
            content.close()
    return answers
