"""A conversation with an SMTP or LMTP server, one command at a time, for programs that may wait."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from types import TracebackType
from typing import Self

from postroad.base.errors import PostroadError
from postroad.proto.client_content import ContentEncoder
from postroad.proto.client_features import Features, parse_features
from postroad.proto.replies import GarbledReply, ReplyParser, ServerReply

_READ = 65536


class NoServer(PostroadError):  # noqa: N818 - a state of the server
    """Nothing listens there, or we may not connect."""


class DialogueLost(PostroadError):  # noqa: N818 - as above
    """The server went, was late, or said what is no reply.  What was not answered did not happen,
    except that a message whose final dot was sent may be queued (RFC 1047).
    """


class Dialogue:
    """One connection.  ``timeout`` is seconds for each step; ``features`` are known after ``hello``."""

    def __init__(self, peer: socket.socket, *, timeout: float = 300.0, lmtp: bool = False) -> None:
        peer.settimeout(timeout)
        self._peer = peer
        self._replies = ReplyParser()
        self.lmtp = lmtp
        self.features = Features()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:  # fmt: skip  # noqa: E501
        self._peer.close()

    def hello(self, name: str) -> ServerReply:
        """Hear the greeting and say EHLO (or LHLO); HELO to a server that knows no EHLO."""
        greeting = self._reply()
        if not greeting.good:
            return greeting
        reply = self.say(b"%b %b" % (b"LHLO" if self.lmtp else b"EHLO", name.encode("ascii", "replace")))
        if reply.good:
            self.features = parse_features(reply.raw)
        elif reply.code // 100 == 5 and not self.lmtp:  # RFC 5321 4.1.4
            reply = self.say(b"HELO " + name.encode("ascii", "replace"))
        return reply

    def say(self, line: bytes) -> ServerReply:
        """Send one command and return its reply.  ValueError for a line that would be several."""
        if b"\r" in line or b"\n" in line or b"\0" in line:
            raise ValueError("a command is one line")
        self._send(line + b"\r\n")
        return self._reply()

    def content(self, pieces: Iterable[bytes], replies: int = 1) -> list[ServerReply]:
        """Send a content, CRLF line ends, behind the 354; return the replies to its final dot.

        LMTP has a reply for each recipient that was accepted (RFC 2033 4.2).
        """
        encoder = ContentEncoder(0)
        last = b""
        for piece in pieces:
            if last:
                self._send(last)
            last = encoder.encode(piece)
        self._send(last + encoder.finish())
        return [self._reply() for _ in range(replies)]

    def quit(self) -> None:
        """Take leave; whether the server still answers does not matter."""
        try:
            self.say(b"QUIT")
        except DialogueLost:
            return

    def _send(self, data: bytes) -> None:
        try:
            self._peer.sendall(data)
        except OSError as error:
            raise DialogueLost(f"lost the connection: {error.strerror or error}") from error

    def _reply(self) -> ServerReply:
        try:
            while (reply := self._replies.next()) is None:
                data = self._peer.recv(_READ)
                if not data:
                    raise DialogueLost("lost the connection: the server closed it")
                self._replies.feed(data)
        except GarbledReply as garbled:
            raise DialogueLost(f"not a reply: {garbled.line}") from garbled
        except OSError as error:
            raise DialogueLost(f"lost the connection: {error.strerror or error}") from error
        return reply


def connect_local(path: str, *, timeout: float = 300.0) -> Dialogue:
    """Connect to the socket of local users.  NoServer when nothing answers there."""
    peer = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        peer.settimeout(timeout)
        peer.connect(path)
    except (OSError, ValueError) as error:
        peer.close()
        raise NoServer(f"connect to {path}: {getattr(error, 'strerror', None) or error}") from error
    return Dialogue(peer, timeout=timeout)


def connect(host: str, port: int, *, timeout: float = 60.0, lmtp: bool = False) -> Dialogue:
    """Connect to a host.  NoServer when that fails."""
    try:
        peer = socket.create_connection((host, port), timeout)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise NoServer(f"connect to {host} port {port}: {reason}") from error
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return Dialogue(peer, timeout=timeout, lmtp=lmtp)
