"""The dialogues of tests/dialogues, against the machine alone and over a socket.

``C:`` sends a line, ``P:`` and ``D:`` hold one back for the next write, ``R:`` sends raw bytes; ``S:`` is
the beginning of each reply's first line, ``M:`` a message as it is queued, ``main:`` a setting.
"""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from postroad.model.client import Client
from postroad.model.reply import Reply
from postroad.model.session import Session
from postroad.proto.server import ServerSession
from postroad.smtpd.settings import options_of

from .conftest import settings

FILES = sorted((Path(__file__).parent.parent / "dialogues").glob("*.smtp"))
CODES = {"r": "\r", "n": "\n", "t": "\t", "\\": "\\"}
UNKNOWN = Reply(550, "5.1.1", "<nobody@example.test>: Recipient address rejected: User unknown")


def raw(text):
    parts = re.split(r"\\(x[0-9a-f]{2}|[rnt\\])", text)
    out = parts[0].encode()
    for code, rest in zip(parts[1::2], parts[2::2], strict=True):
        out += bytes([int(code[1:], 16)]) if code[0] == "x" else CODES[code].encode()
        out += rest.encode()
    return out


class Script:
    """One file: its settings, its steps (what is sent, what is answered) and its messages."""

    def __init__(self, path):
        self.main, self.steps, self.messages, self.closed = {}, [(b"", [])], [], False
        held = b""
        for line in path.read_text().splitlines():
            kind, _, text = line.partition(":")
            text = text.removeprefix(" ")
            if kind == "main":
                name, _, value = text.partition("=")
                self.main[name.strip()] = value.strip()
            elif kind in ("P", "D"):
                held += text.encode() + b"\r\n"
            elif kind in ("C", "R"):
                self.steps.append((held + (raw(text) if kind == "R" else text.encode() + b"\r\n"), []))
                held = b""
            elif kind == "S" and text == "(closed)":
                self.closed = True
            elif kind == "S":
                self.steps[-1][1].append(text)
            elif kind == "M":
                self.messages.append(raw(text))
            else:
                assert not line or line.startswith("#"), line


class Accepting:
    """Hooks that accept all but ``nobody``."""

    def __init__(self):
        self.messages, self.pieces = [], []

    def accept(self, *_):
        return None

    connect = helo = mail = open = data = verify = etrn = starttls = auth = refused = notice = accept
    is_noop = unknown = accept

    def is_forbidden(self, word):
        return word in ("CONNECT", "GET", "POST")

    def recipient(self, address):
        return UNKNOWN if address.startswith("nobody@") else None

    def content(self, piece):
        self.pieces.append(piece)

    def message(self, size):
        self.messages.append(b"".join(self.pieces))
        self.pieces.clear()
        return Reply(250, "2.0.0", "Ok: queued as ABC")

    def discard(self):
        self.pieces.clear()


def firsts(lines):
    """Return the first line of each reply."""
    return [line for before, line in zip([b"250 ", *lines], lines, strict=False) if before[3:4] != b"-"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_machine_answers_as_written(path):
    script = Script(path)
    hooks = Accepting()
    server = ServerSession(options_of(settings(**script.main)), Session(Client("192.0.2.1")), hooks)
    server.start()
    for sent, expected in script.steps:
        server.feed(sent)
        said = firsts(b"".join(server.out).split(b"\r\n")[:-1])
        server.out.clear()
        assert len(said) == len(expected), (sent, said)
        for line, beginning in zip(said, expected, strict=True):
            assert line.decode().startswith(beginning), sent
    assert server.closed or not script.closed
    assert hooks.messages == script.messages


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
async def test_the_service_answers_as_written(stand, path):
    script = Script(path)
    stand.policy.replies["recipient", "nobody@example.test"] = UNKNOWN
    port = await stand.serve(**script.main)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for sent, expected in script.steps:
        writer.write(sent)
        for beginning in expected:
            line = first = await asyncio.wait_for(reader.readline(), 30)
            while line[3:4] == b"-":
                line = await asyncio.wait_for(reader.readline(), 30)
            assert first.decode().startswith(beginning), sent
    if script.closed:
        assert await asyncio.wait_for(reader.read(), 30) == b""
    writer.close()
    assert [receiver.text for receiver in stand.intake.committed] == script.messages
