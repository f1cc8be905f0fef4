"""What a client sends is in the Maildir byte for byte, under the lines that the servers add."""

from __future__ import annotations

import re
import socket
import subprocess
from collections.abc import Iterator
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path

import pytest

from peers.harness import Postroad, a_place, until

pytestmark = pytest.mark.peer

_HEAD = b"From: s@client.example\r\nTo: alice@example.test\r\nSubject: Content\r\nDate: Thu, 1 Oct 2026 10:00:00 +0000\r\nMessage-ID: <1@client.example>\r\n\r\n"
#: The lines that a delivery adds, in Postfix's order.
_ADDED = re.compile(
    rb"Return-Path: <s@client\.example>\n"
    rb"X-Original-To: alice@example\.test\n"
    rb"Delivered-To: alice@example\.test\n"
    rb"Received: from [^\n]+\n(?:\t[^\n]+\n)+"
)
CONTENTS = {
    "dots": b".\r\n..\r\n.one\r\n...\r\n x.\r\n.\r\n",
    "8-bit that is not UTF-8": bytes(range(0x80, 0x100)) + b"\r\n",
    "UTF-8": "邮件 système ✉\r\n".encode(),
    "lines longer than any limit": b"x" * 998 + b"\r\n" + b"y" * 5000 + b"\r\n." + b"z" * 70_000 + b"\r\n",
    "dots at the edges of read buffers": (b"." * 4095 + b"\r\n") * 40,
    "control characters": b"a\x00b\x01\x1b\x7f\t\x0b\x0c\r\n",
    "empty lines": b"\r\n" * 5,
    "spaces at the ends": b"  two  \t\r\n \r\n",
    "mbox's From": b"From the start\r\n>From\r\n\r\nFrom x\r\n",
    "nothing": b"",
    "words of SMTP": b"QUIT\r\nRSET\r\nMAIL FROM:<x@y>\r\n354 go\r\n",
}


@pytest.fixture(scope="module")
def server() -> Iterator[Postroad]:
    with a_place() as place, Postroad(place) as running:
        yield running


@pytest.fixture(scope="module")
def strict() -> Iterator[Postroad]:
    with a_place() as place, Postroad(place, main="smtpd_forbid_bare_newline_exclusions =") as running:
        yield running


def arrived(server: Postroad, before: int) -> bytes:
    """Return the newest message without what the delivery added."""
    newest = server.wait_mail("alice", before + 1)[-1]
    added = _ADDED.match(newest)
    assert added, newest[:600]
    return newest[added.end() :]


def local(content: bytes) -> bytes:
    """Return content with the line ends of a Maildir."""
    return content.replace(b"\r\n", b"\n")


@pytest.mark.parametrize("body", CONTENTS.values(), ids=CONTENTS)
def test_smtplib_content_arrives_as_it_was(server: Postroad, body: bytes) -> None:
    before = len(server.mailbox("alice"))
    server.send("s@client.example", ["alice@example.test"], _HEAD + body, ["BODY=8BITMIME"])
    assert arrived(server, before) == local(_HEAD + body)


@pytest.mark.parametrize("body", CONTENTS.values(), ids=CONTENTS)
def test_swaks_content_arrives_as_it_was(server: Postroad, tmp_path: Path, body: bytes) -> None:
    before = len(server.mailbox("alice"))
    # With -ndf swaks sends the file as it is, so that the dots and the end are ours.
    stuffed = re.sub(rb"(?m)^\.", b"..", _HEAD + body) + b".\r\n"
    file = tmp_path / "data"
    file.write_bytes(stuffed)
    arguments = ["--server", server.host, "--port", str(server.port), "--from", "s@client.example"]
    done = subprocess.run(
        [
            "swaks",
            *arguments,
            "--to",
            "alice@example.test",
            "-ndf",
            "--data",
            f"@{file}",
            "--helo",
            "c.example",
        ],
        capture_output=True,
        timeout=20,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    assert arrived(server, before) == local(_HEAD + body)


def converse(server: Postroad, *parts: bytes) -> list[bytes]:
    """Send the parts, one after another, and return the lines of the answers to the end."""
    with socket.create_connection((server.host, server.port), 10) as sock:
        for part in parts:
            sock.sendall(part)
        data = b""
        while piece := sock.recv(65536):
            data += piece
    return data.split(b"\r\n")


_ENVELOPE = b"EHLO c.example\r\nMAIL FROM:<s@client.example>\r\nRCPT TO:<alice@example.test>\r\n"


@pytest.mark.parametrize("body", CONTENTS.values(), ids=CONTENTS)
def test_bdat_content_arrives_as_it_was(server: Postroad, body: bytes) -> None:
    before = len(server.mailbox("alice"))
    content = _HEAD + body
    cut = len(content) // 2
    converse(
        server,
        _ENVELOPE + b"BDAT %d\r\n" % cut + content[:cut],
        b"BDAT %d LAST\r\n" % (len(content) - cut) + content[cut:] + b"QUIT\r\n",
    )
    assert arrived(server, before) == local(content)


def test_bdat_without_a_final_line_end_gets_one(server: Postroad) -> None:
    before = len(server.mailbox("alice"))
    content = _HEAD + b"one\r\ntwo"
    converse(server, _ENVELOPE + b"BDAT %d LAST\r\n" % len(content) + content + b"QUIT\r\n")
    assert arrived(server, before) == local(content) + b"\n"


@pytest.mark.parametrize("dot", [b"\n.\n", b"\r\n.\n", b"\n.\r\n", b"\r.\r\n", b"\r\n.\r"])
def test_no_dot_between_odd_line_ends_ends_a_message(strict: Postroad, dot: bytes) -> None:
    smuggled = (
        b"MAIL FROM:<evil@client.example>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\nSubject: no\r\n\r\n.\r\n"
    )
    content = _HEAD + b"one" + dot + smuggled.removesuffix(b".\r\n") + b"last\r\n"
    before = len(strict.mailbox("alice"))
    converse(strict, _ENVELOPE + b"DATA\r\n", content + b".\r\nQUIT\r\n")
    kept = arrived(strict, before)
    strict.wait_empty()
    assert kept.endswith(b"last\n")
    assert len(strict.mailbox("alice")) == before + 1
    assert strict.mailbox("bob") == []


def test_a_network_of_ours_may_end_a_message_with_line_feeds_alone(server: Postroad) -> None:
    # smtpd_forbid_bare_newline_exclusions = $mynetworks
    before = len(server.mailbox("alice"))
    converse(server, _ENVELOPE + b"DATA\r\n", local(_HEAD) + b"one\ntwo\n.\nQUIT\r\n")
    assert arrived(server, before) == local(_HEAD) + b"one\ntwo\n"


def test_a_message_of_every_mime_kind_arrives_as_it_was(server: Postroad) -> None:
    composed = EmailMessage()
    composed["From"], composed["To"] = "s@client.example", "alice@example.test"
    composed["Subject"] = "中文主题 and more than one line of it, so that the field is folded somewhere"
    composed["Date"], composed["Message-ID"] = "Thu, 1 Oct 2026 10:00:00 +0000", "<2@client.example>"
    composed.set_content("text\n.\n")
    composed.add_alternative("<p>text</p>", subtype="html")
    composed.add_attachment(
        bytes(range(256)) * 40, maintype="application", subtype="octet-stream", filename="附件"
    )
    for number, part in enumerate(part for part in composed.walk() if part.is_multipart()):
        part.set_boundary(f"=={number}==")
    before = len(server.mailbox("alice"))
    with server.connect() as client:
        client.send_message(composed, "s@client.example", ["alice@example.test"])
    assert arrived(server, before) == local(composed.as_bytes(policy=SMTP))


def test_content_in_tiny_packets_arrives_as_it_was(server: Postroad) -> None:
    before = len(server.mailbox("alice"))
    body = b"..a\r\n..\r\n...b\r\n"
    with socket.create_connection((server.host, server.port), 10) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in _ENVELOPE + b"DATA\r\n":
            sock.sendall(bytes([byte]))
        read = b""
        while b"\r\n354 " not in read:
            read += sock.recv(4096)
        for byte in _HEAD + body + b".\r\nQUIT\r\n":
            sock.sendall(bytes([byte]))
        while sock.recv(4096):
            pass
    assert arrived(server, before) == local(_HEAD) + b".a\n.\n..b\n"
    until(lambda: not server.queue())
