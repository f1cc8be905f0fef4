"""A content filter as amavis is one: it takes mail by SMTP on one port and hands it back to another.

A process of its own, to be killed: ``python reinjector.py LISTEN BACK [ANSWER]``.  It answers the
final dot with what the other side answered, or with ``ANSWER`` and then hands nothing on.  A message
whose subject has the word "virus" is refused.  It marks what it has seen with a field ``X-Filtered``
that has the envelope, and what XFORWARD said.
"""

from __future__ import annotations

import contextlib
import os
import smtplib
import socket
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:  # the process itself has no other module of the tests
    from peers.services import Service

HOST = "127.0.0.1"
_EHLO = (
    "250-filter.example\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-DSN\r\n"
    "250-XFORWARD NAME ADDR PORT PROTO HELO IDENT SOURCE\r\n250 ENHANCEDSTATUSCODES"
)


def serve(port: int, back: int, answer: str) -> None:
    """Filter for ever."""
    with socket.create_server((HOST, port), backlog=128) as server:
        while True:
            client, _ = server.accept()
            threading.Thread(target=_session, args=(client, back, answer), daemon=True).start()


def _session(client: socket.socket, back: int, answer: str) -> None:
    with contextlib.suppress(OSError), client, client.makefile("rb") as file:
        client.sendall(b"220 filter.example ESMTP\r\n")
        known: list[str] = []
        sender, recipients, options = "", [], []
        while line := file.readline(4096).decode("utf-8", "replace").rstrip("\r\n"):
            verb = line.split(" ")[0].upper()
            reply = "250 2.1.0 Ok"
            if verb == "EHLO":
                reply = _EHLO
            elif verb == "XFORWARD":
                known += line.split(" ")[1:]
            elif verb == "MAIL":
                sender, recipients, options = _path(line), [], line.partition(">")[2].split()
            elif verb == "RCPT":
                recipients.append(_path(line))
            elif verb == "DATA":
                client.sendall(b"354 Go ahead\r\n")
                content = _content(file)
                mark = f"X-Filtered: from=<{sender}> to=<{','.join(recipients)}> {' '.join(known)}\r\n"
                time.sleep(0.02)
                reply = answer or _hand_back(
                    back, known, sender, recipients, options, mark.encode() + content
                )
            elif verb == "QUIT":
                reply = "221 2.0.0 Bye"
            client.sendall(reply.encode() + b"\r\n")


def _hand_back(
    port: int, known: list[str], sender: str, recipients: list[str], options: list[str], content: bytes
) -> str:
    if b"\nSubject: virus" in content:
        return "550 5.7.0 there is a virus in it"
    try:
        with smtplib.SMTP(HOST, port, local_hostname="filter.example", timeout=20) as client:
            client.ehlo()
            if known and client.has_extn("xforward"):
                client.docmd("XFORWARD", " ".join(known))
            kept = [each for each in options if not each.upper().startswith("SIZE=")]
            client.sendmail(sender, recipients, content, mail_options=kept)
    except (OSError, smtplib.SMTPException) as error:
        return f"451 4.3.0 {type(error).__name__}"
    return "250 2.0.0 handed back"


def _path(line: str) -> str:
    return line.partition("<")[2].partition(">")[0]


def _content(file: BinaryIO) -> bytes:
    lines = []
    while (line := file.readline()) != b".\r\n":
        if not line:
            raise ConnectionError("it hung up inside a message")
        lines.append(line.removeprefix(b"."))
    return b"".join(lines)


def reinjector(back: int, port: int, answer: str = "") -> Service:
    """Return a filter on ``port`` that hands mail back to ``back``; a context manager."""
    from peers.services import Service

    return Service([sys.executable, __file__, str(port), str(back), answer], port, Path(os.devnull))


if __name__ == "__main__":
    serve(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3] if len(sys.argv) > 3 else "")
