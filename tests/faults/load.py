"""Load that keeps books: every message that was acknowledged is known by its Message-ID and checksum.

A ``Load`` sends from several threads and notes each id for which 250 was read.  ``Ledger`` compares
that with what arrived: in a Maildir, at a next hop, or as a bounce in the sender's Maildir.
"""

from __future__ import annotations

import hashlib
import random
import re
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Self

from peers.harness import Postroad
from peers.nexthop import NextHop

DOMAIN = "load.example"
SENDER = "bob@example.test"
#: Where a message goes: a Maildir, a next hop that takes it, that refuses it, that takes it later.
DESTINIES = ("alice@example.test", "take@far.example", "refuse@far.example", "later@far.example")
_ID = re.compile(rb"^Message-ID: <([^@<>\s]+)@load\.example>", re.MULTILINE | re.IGNORECASE)
_SUM = re.compile(rb"^X-Sum: ([0-9a-f]+)", re.MULTILINE)


def letter(identity: str, recipient: str, size: int) -> bytes:
    """Return a message that carries its id and the checksum of its body, dots stuffed."""
    line = random.Random(identity).randbytes(30).hex().encode()
    body = b"".join(b"%06d %s\n" % (at, line) for at in range(max(1, size // 68)))
    head = (
        f"From: <{SENDER}>\r\nTo: <{recipient}>\r\nSubject: load\r\nMessage-ID: <{identity}@{DOMAIN}>\r\n"
        f"Date: Mon, 1 Jan 2024 00:00:00 +0000\r\nX-Sum: {hashlib.sha256(body).hexdigest()}\r\n\r\n"
    )
    return head.encode() + body.replace(b"\n", b"\r\n")


def identity_of(content: bytes) -> str:
    """Return the id of a message, or of the one that a bounce returns; "" when there is none."""
    found = _ID.search(content)
    return found[1].decode() if found else ""


def is_whole(content: bytes) -> bool:
    """Return whether the body is the one that was sent."""
    head, _, body = content.replace(b"\r\n", b"\n").partition(b"\n\n")
    found = _SUM.search(head)
    return found is not None and hashlib.sha256(body).hexdigest().encode() == found[1]


class Client:
    """One SMTP session with as little between it and the socket as may be."""

    def __init__(self, address: tuple[str, int], timeout: float = 30) -> None:
        self.socket = socket.create_connection(address, timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._file = self.socket.makefile("rb")
        self.greeting = self.reply()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self.socket.close()

    def reply(self) -> str:
        """Return a reply's last line; ConnectionError when there is none."""
        while True:
            line = self._file.readline(4096)
            if not line.endswith(b"\n"):
                raise ConnectionError("the server has gone")
            if line[3:4] != b"-":
                return line.decode("ascii", "replace").rstrip()

    def command(self, line: str) -> str:
        """Send a command line and return the reply."""
        self.socket.sendall(line.encode() + b"\r\n")
        return self.reply()

    def begin(self, sender: str, recipient: str) -> str:
        """Return the first reply that refuses, or the one to DATA."""
        for line in (f"MAIL FROM:<{sender}>", f"RCPT TO:<{recipient}>"):
            said = self.command(line)
            if not said.startswith("2"):
                return said
        return self.command("DATA")

    def send(self, sender: str, recipient: str, content: bytes) -> str:
        """Send a message; returns the reply to the final dot, or the refusal before it."""
        said = self.begin(sender, recipient)
        if not said.startswith("354"):
            return said
        self.socket.sendall(content + b".\r\n")
        return self.reply()


@dataclass
class Load:
    """Sends while the block runs.  ``large`` of a thousand messages have a body of 300 kB."""

    address: tuple[str, int]
    recipients: Sequence[str] = DESTINIES
    clients: int = 8
    pause: float = 0.002  # seconds between two messages of a client
    large: int = 10
    acknowledged: dict[str, str] = field(default_factory=dict)  # id: recipient
    refused: Counter[str] = field(default_factory=Counter)
    offered: int = 0

    def __enter__(self) -> Self:
        self._stop = threading.Event()
        self._run = f"{time.time_ns():x}"
        self._threads = [
            threading.Thread(target=self._work, args=(number,), daemon=True) for number in range(self.clients)
        ]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(20)

    def _work(self, number: int) -> None:
        chance = random.Random(number)
        serial = 0
        while not self._stop.is_set():
            try:
                with Client(self.address) as client:
                    client.command("EHLO client.example")
                    while not self._stop.is_set():
                        serial += 1
                        self._one(client, f"m{self._run}-{number}-{serial}", chance)
                        self._stop.wait(self.pause)
            except OSError:
                self._stop.wait(0.05)

    def _one(self, client: Client, identity: str, chance: random.Random) -> None:
        recipient = chance.choice(self.recipients)
        size = 300_000 if chance.randrange(1000) < self.large else chance.choice((200, 2000, 9000))
        self.offered += 1
        said = client.send(SENDER, recipient, letter(identity, recipient, size))
        if said.startswith("250"):
            self.acknowledged[identity] = recipient
        else:
            self.refused[said[:30]] += 1
            client.command("RSET")


def far_end(chance: random.Random) -> NextHop:
    """Return the next hop that does what DESTINIES say."""

    def recipient(line: str) -> str:
        if "<refuse@" in line:
            return "550 5.1.1 Nobody here"
        return "450 4.2.0 Later" if "<later@" in line and chance.random() < 0.3 else "250 2.1.5 Ok"

    return NextHop(answers={"RCPT": recipient})


@dataclass
class Ledger:
    """What became of what was acknowledged."""

    acknowledged: dict[str, str]
    arrived: Counter[str] = field(default_factory=Counter)
    bounced: Counter[str] = field(default_factory=Counter)
    queued: set[str] = field(default_factory=set)
    damaged: list[str] = field(default_factory=list)

    def add(self, contents: Iterable[bytes]) -> None:
        """Enter delivered messages."""
        for content in contents:
            identity = identity_of(content)
            self.arrived[identity] += 1
            if not is_whole(content):
                self.damaged.append(identity)

    def look(self, server: Postroad, sink: NextHop) -> None:
        """Enter what is in the Maildirs, at the next hop, and in the queue."""
        self.add(server.mailbox("alice"))
        self.add(each.content for each in sink.accepted if each.recipients)
        self.bounced.update(identity_of(content) for content in server.mailbox("bob"))
        for entry in server.queue():
            shown = server.run("postcat", "-q", entry["queue_id"]).stdout.encode()
            self.queued.add(identity_of(shown))

    @property
    def lost(self) -> list[str]:
        """Acknowledged messages that are nowhere."""
        return sorted(self.acknowledged.keys() - self.arrived.keys() - self.bounced.keys() - self.queued)

    @property
    def wrong(self) -> list[str]:
        """Messages that were bounced and should not have been, or the other way round."""
        to_bounce = {key for key, recipient in self.acknowledged.items() if recipient.startswith("refuse@")}
        return sorted(
            (to_bounce & self.arrived.keys()) | ((self.acknowledged.keys() - to_bounce) & self.bounced.keys())
        )

    @property
    def duplicates(self) -> int:
        """How often a message came once more than it should."""
        both = self.arrived + self.bounced
        return sum(count - 1 for count in both.values())

    def __str__(self) -> str:
        return (
            f"{len(self.acknowledged)} acknowledged: {len(self.arrived)} delivered, "
            f"{len(self.bounced)} bounced, {len(self.queued)} queued, lost {len(self.lost)}, "
            f"damaged {len(self.damaged)}, duplicates {self.duplicates}"
        )
