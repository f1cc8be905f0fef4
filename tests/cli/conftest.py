"""A configuration with a queue, for the commands that look at one; and a server that runs."""

import asyncio
import contextlib
import json
import os
import socket
import tempfile
import threading
import time
from pathlib import Path

import pytest

from postroad.admin.loopback import LoopbackServer
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
        change.carry(text)
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
    listener.settimeout(30)
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


class Running(LoopbackServer):
    """A server on loopback that delivers user@example.test and you@example.test to Maildirs."""

    @property
    def etc(self) -> str:
        return str(self.directory)

    def arrived(self, user="user") -> bytes:
        """Wait for one message, and take it away."""
        new = self.mail / user / "new"
        end = time.monotonic() + 30
        while not (found := sorted(new.glob("*"))):
            assert time.monotonic() < end, self.log()
            time.sleep(0.01)
        text = found[0].read_bytes()
        found[0].unlink()
        return text


@pytest.fixture(scope="session")
def running():
    # Not below tmp_path: mail_owner may not enter that, and sockets need short names.
    with tempfile.TemporaryDirectory(prefix="postroad-") as name:
        os.chmod(name, 0o755)
        server = Running(
            Path(name, "one"),
            "myhostname = mx.example.test\nmyorigin = example.test\nvirtual_mailbox_domains = example.test\n"
            "virtual_mailbox_maps = inline:{ {user@example.test = user/}, {you@example.test = you/} }\n",
        )
        asyncio.run(server.start())
        yield server
        asyncio.run(server.stop())
