"""An SMTP session by hand: a line is said, the whole reply is read."""

from __future__ import annotations

import socket
import ssl
from typing import Self


class Talk:
    """A session that has read its greeting; encrypted from the beginning with a ``context``.

    ``source`` is the address to come from.  The server is known as ``localhost``.
    """

    def __init__(self, port: int, *, source: str = "", context: ssl.SSLContext | None = None) -> None:
        bound = (source, 0) if source else None
        self.socket: socket.socket = socket.create_connection(
            ("127.0.0.1", port), timeout=20, source_address=bound
        )
        self._file = self.socket.makefile("rb")
        if context is not None:
            self.encrypt(context)
        self.read()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._file.close()
        self.socket.close()

    def read(self) -> str:
        """Return one reply with its line ends; what has come of it if the server hangs up."""
        lines = []
        while line := self._file.readline():
            lines.append(line.decode())
            if line[3:4] != b"-":
                break
        return "".join(lines)

    def say(self, *lines: str) -> str:
        """Say each line and read its reply; return the last one."""
        reply = ""
        for line in lines:
            self.socket.sendall(line.encode() + b"\r\n")
            reply = self.read()
        return reply

    def encrypt(self, context: ssl.SSLContext) -> None:
        """Shake hands."""
        self._file.close()
        self.socket = context.wrap_socket(self.socket, server_hostname="localhost")
        self._file = self.socket.makefile("rb")

    def starttls(self, context: ssl.SSLContext) -> None:
        """Say EHLO, STARTTLS, shake hands, and say EHLO again."""
        self.say("EHLO client.test")
        answer = self.say("STARTTLS")
        assert answer == "220 2.0.0 Ready to start TLS\r\n", answer
        self.encrypt(context)
        self.say("EHLO client.test")
