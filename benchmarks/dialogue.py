"""SMTP spoken by the measurements themselves."""

import socket
import time
from contextlib import suppress

from benchmarks.peers.peer import RECIPIENT, SENDER
from benchmarks.server import NotServingError

HEADER = f"From: <{SENDER}>\r\nTo: <{RECIPIENT}>\r\nSubject: A measurement\r\n\r\n".encode()
LINE = b"The quick brown fox jumps over the lazy dog; it is not afraid of it.  \r\n"
ENVELOPE = f"MAIL FROM:<{SENDER}>\r\n", f"RCPT TO:<{RECIPIENT}>\r\n", "DATA\r\n"


def content(size: int) -> bytes:
    """Return a message of about ``size`` bytes, without its final dot."""
    return HEADER + LINE * max(1, (size - len(HEADER)) // len(LINE))


class Talk:
    """One connection, one command at a time."""

    def __init__(self, port: int, timeout: float = 60.0) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout)
        self._file = self._socket.makefile("rb")
        self.expect(b"220")
        self.say(b"EHLO client.bench.example\r\n", b"250")

    def expect(self, code: bytes) -> bytes:
        """Read one reply; what is not of this code is an error."""
        while (line := self._file.readline())[3:4] == b"-":
            pass
        if not line.startswith(code):
            raise NotServingError(f"expected {code.decode()}, got {line!r}")
        return line

    def say(self, data: bytes, code: bytes) -> bytes:
        self._socket.sendall(data)
        return self.expect(code)

    def envelope(self) -> None:
        """Bring the dialogue to where the server waits for a message."""
        for command, code in zip(ENVELOPE, (b"250", b"250", b"354"), strict=True):
            self.say(command.encode(), code)

    def message(self, data: bytes) -> bytes:
        self.envelope()
        return self.say(data + b".\r\n", b"250")

    def close(self) -> None:
        self._file.close()
        self._socket.close()


def until_accepted(port: int, limit: float = 60.0) -> None:
    """Send one message as soon as the server takes it."""
    end = time.monotonic() + limit
    while time.monotonic() < end:
        with suppress(OSError, NotServingError):
            talk = Talk(port)
            talk.message(content(1024))
            talk.close()
            return
        time.sleep(0.02)
    raise NotServingError(f"no message was accepted within {limit:.0f} s")
