"""Lets two file descriptors speak with a UNIX socket: ``sendmail -bs``."""

from __future__ import annotations

import os
import select
import socket

_READ = 65536


def bridge(path: str, source: int, sink: int) -> bool:
    """Carry bytes both ways until the server ends the session; False when nothing listens at ``path``."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
        try:
            peer.connect(path)
        except (OSError, ValueError):
            return False
        readers: list[int] = [source, peer.fileno()]
        while True:
            ready, _, _ = select.select(readers, [], [])
            if source in ready and not _forward(source, peer):
                readers.remove(source)
            if peer.fileno() in ready:
                data = _received(peer)
                if not data:
                    return True
                _write(sink, data)


def _forward(source: int, peer: socket.socket) -> bool:
    """Carry what is there to the server; False at the end of it."""
    data = os.read(source, _READ)
    try:
        if data:
            peer.sendall(data)
        else:
            peer.shutdown(socket.SHUT_WR)
    except OSError:
        return False  # the server has ended the session; what it said is still to be read
    return bool(data)


def _received(peer: socket.socket) -> bytes:
    try:
        return peer.recv(_READ)
    except OSError:
        return b""


def _write(sink: int, data: bytes) -> None:
    while data:
        data = data[os.write(sink, data) :]
