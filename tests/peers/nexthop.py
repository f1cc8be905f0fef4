"""A next hop that does as a test says: it refuses, waits, hangs up, and keeps what it accepted."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import BinaryIO, Self

#: Instead of an answer: hang up; or say nothing until the client goes.
HANG_UP, SILENT = "(hang up)", "(silent)"

#: What to answer to a command line: a reply, or a function of the line.
Answer = str | Callable[[str], str]
_USUAL: dict[str, str] = {
    "connect": "220 next.example ESMTP",
    "EHLO": "250-next.example\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SIZE 0\r\n250 ENHANCEDSTATUSCODES",
    "HELO": "250 next.example",
    "MAIL": "250 2.1.0 Ok",
    "RCPT": "250 2.1.5 Ok",
    "DATA": "354 Go ahead",
    "no recipients": "554 5.5.1 No valid recipients",
    ".": "250 2.0.0 Kept",
    "RSET": "250 2.0.0 Ok",
    "NOOP": "250 2.0.0 Ok",
    "QUIT": "221 2.0.0 Bye",
}


@dataclass
class Received:
    """One message that was sent to the final dot, whatever the answer was."""

    sender: str
    recipients: list[str]
    content: bytes
    answer: str = ""


@dataclass
class NextHop:
    """Listens on ``host``; ``answers`` replace the usual ones, by verb (also ``connect`` and ``.``)."""

    host: str = "127.0.0.1"
    port: int = 0
    answers: dict[str, Answer] = field(default_factory=dict)
    received: list[Received] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    connections: int = 0

    def __enter__(self) -> Self:
        self._socket = socket.create_server((self.host, self.port), backlog=128)
        self.port = self._socket.getsockname()[1]
        self._open = True
        self._clients: set[socket.socket] = set()
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._open = False
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for client in list(self._clients):
            client.close()

    @property
    def accepted(self) -> list[Received]:
        """What it took responsibility for."""
        return [each for each in self.received if each.answer.startswith("2")]

    def _accept(self) -> None:
        while self._open:
            try:
                client, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            self._clients.add(client)
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        client.settimeout(30)
        try:
            with client, client.makefile("rb") as file:
                self._session(client, file)
        except OSError:
            pass
        finally:
            self._clients.discard(client)

    def _answer(self, client: socket.socket, file: BinaryIO, verb: str, line: str, kept: Received | None = None) -> str:  # fmt: skip
        """Send the answer; an empty one means that the session is over.

        It is noted on what it is about before the client can know it.
        """
        answer = self.answers.get(verb) or _USUAL.get(verb, "502 5.5.1 Not here")
        said = answer if isinstance(answer, str) else answer(line)
        if said == SILENT:
            while file.read(65536):
                pass
        if said in (SILENT, HANG_UP):
            return ""
        if kept is not None:
            kept.answer = said
        client.sendall(said.encode() + b"\r\n")
        return "" if said.startswith("421") else said

    def _session(self, client: socket.socket, file: BinaryIO) -> None:
        if not self._answer(client, file, "connect", ""):
            return
        sender, recipients = "", []
        while line := file.readline(4096).decode("utf-8", "replace").rstrip("\r\n"):
            self.lines.append(line)
            verb = line.split(" ")[0].split(":")[0].upper()
            key = (
                "no recipients" if verb == "DATA" and not recipients and "DATA" not in self.answers else verb
            )
            said = self._answer(client, file, key, line)
            if not said or verb == "QUIT":
                return
            if verb == "MAIL":
                sender, recipients = _path(line), []
            elif verb == "RCPT" and said.startswith("2"):
                recipients.append(_path(line))
            elif verb == "DATA" and said.startswith("3"):
                kept = Received(sender, recipients, _content(file))
                self.received.append(kept)
                if not self._answer(client, file, ".", line, kept):
                    return


def _path(line: str) -> str:
    return line.partition("<")[2].partition(">")[0]


def _content(file: BinaryIO) -> bytes:
    lines = []
    while (line := file.readline()) != b".\r\n":
        if not line:
            raise ConnectionError("it hung up inside a message")
        lines.append(line.removeprefix(b"."))
    return b"".join(lines)


#: Settings that try again each second, and wait for nothing longer than that.
SHORT = """
minimal_backoff_time = 1s
maximal_backoff_time = 1s
queue_run_delay = 1s
smtp_connect_timeout = 1s
smtp_helo_timeout = 1s
smtp_mail_timeout = 1s
smtp_rcpt_timeout = 1s
smtp_data_init_timeout = 1s
smtp_data_xfer_timeout = 1s
smtp_data_done_timeout = 1s
relayhost = [127.0.0.1]:{hop}
"""


def short(peer: NextHop | int, more: str = "") -> str:
    """Return settings that retry each second and relay to the peer."""
    port = peer if isinstance(peer, int) else peer.port
    return SHORT.replace("{hop}", str(port)) + more


def in_turn(*answers: str) -> Callable[[str], str]:
    """Return an answer that is each of these in turn, and then the last."""
    rest = list(answers)
    return lambda _line: rest.pop(0) if len(rest) > 1 else rest[0]
