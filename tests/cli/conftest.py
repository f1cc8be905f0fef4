"""A configuration with a queue, for the commands that look at one."""

import contextlib
import json
import socket
import threading
from pathlib import Path

import pytest

from postroad.base.clock import TestClock
from postroad.model.message import FAILURE, SUCCESS, Message, Recipient, Text
from postroad.store.change import Change
from postroad.store.envelope import pack
from postroad.store.shard import Shard

NOW = 1_795_443_671.595851
WHY = "connect to nowhere[192.0.2.1]:25: Connection timed out"
TEXT = (
    b"Received: by mx.example.test (Postfix, from userid 0)\r\n\tid X\r\nSubject: one\r\n"
    b"\r\nbody line\r\n.dot\r\nlast\r\n"
)


class QueueFiles:
    """A configuration directory, and the shards of its queue while no server runs."""

    def __init__(self, base: Path) -> None:
        self.etc = base / "etc"
        self.spool = base / "spool"
        self.etc.mkdir()
        self.spool.mkdir()
        self.log = base / "log"
        self.configure("")
        self.clock = TestClock(NOW)
        self._number = 0

    def configure(self, text: str) -> None:
        (self.etc / "main.cf").write_text(
            f"queue_directory = {self.spool}\nmyhostname = mx.example.test\nmaillog_file = {self.log}\n{text}"
        )

    def add(
        self,
        *recipients: str,
        sender="alice@example.test",
        text=TEXT,
        reason="",
        shard=0,
        owner="",
        held=0,
        attempts=1,
    ) -> Message:
        self._number += 1
        key = int(NOW * 1_000_000) * 64 + self._number * 64 + shard
        message = Message(key, sender, [Recipient(r) for r in recipients], NOW, Text(text))
        message.attempts = attempts
        for recipient in message.recipients:
            recipient.reason = reason
            recipient.notify, recipient.orcpt = SUCCESS | FAILURE, "rfc822;" + recipient.address
        change = Change(print)
        change.row = (key, NOW + 9e9, owner, held, pack(message))
        change.body = text
        with contextlib.closing(Shard(self.spool / f"shard-{shard}")) as opened:
            opened.write([change])
        return message

    def shard(self, number: int = 0) -> contextlib.closing[Shard]:
        return contextlib.closing(Shard(self.spool / f"shard-{number}"))


@pytest.fixture
def queue(tmp_path) -> QueueFiles:
    return QueueFiles(tmp_path)


@pytest.fixture
def control(queue):
    """A stand-in for the server's control socket: gives the answers it is told, and keeps the requests."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(queue.spool / "control"))
    listener.listen()
    listener.settimeout(5)
    answers, requests = [], []

    def serve():
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            with peer, peer.makefile("rb") as lines:
                line = lines.readline()
                if line:
                    requests.append(json.loads(line))
                    peer.sendall(json.dumps(answers.pop(0)).encode() + b"\n")

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    served = type("Control", (), {"answers": answers, "requests": requests})
    yield served
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(5)
