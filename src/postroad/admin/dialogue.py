"""A conversation with an SMTP or LMTP server, one command at a time, for programs that may wait."""

from __future__ import annotations

import base64
import socket
import ssl
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Self

from postroad.base.errors import PostroadError
from postroad.proto.client_content import ContentEncoder
from postroad.proto.client_features import Features, parse_features
from postroad.proto.replies import GarbledReply, ReplyParser, ServerReply
from postroad.proto.sasl.client import ClientExchange, SaslError

_READ = 65536
#: Hears every piece of the dialogue as it is in clear: "C" or "S", and the bytes.
Listener = Callable[[str, bytes], None]


class NoServer(PostroadError):  # noqa: N818 - a state of the server
    """Nothing listens there, or we may not connect."""


class DialogueLost(PostroadError):  # noqa: N818 - as above
    """The server went, was late, or said what is no reply.  What was not answered did not happen,
    except that a message whose final dot was sent may be queued (RFC 1047).
    """


class Dialogue:
    """One connection.  ``timeout`` is seconds for each step; ``features`` are known after ``hello``."""

    def __init__(self, peer: socket.socket, *, timeout: float = 300.0, lmtp: bool = False, listener: Listener | None = None) -> None:  # fmt: skip  # noqa: E501
        peer.settimeout(timeout)
        self._peer = peer
        self._listener = listener
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
        return self._hello(name) if greeting.good else greeting

    def _hello(self, name: str) -> ServerReply:
        reply = self.say(b"%b %b" % (b"LHLO" if self.lmtp else b"EHLO", name.encode("ascii", "replace")))
        if reply.good:
            self.features = parse_features(reply.raw)
        elif reply.code // 100 == 5 and not self.lmtp:  # RFC 5321 4.1.4
            reply = self.say(b"HELO " + name.encode("ascii", "replace"))
        return reply

    @property
    def encrypted(self) -> bool:
        """Return whether TLS is on."""
        return isinstance(self._peer, ssl.SSLSocket)

    def encrypt(self, context: ssl.SSLContext, host: str) -> None:
        """Begin TLS here and now: before anything was said, or behind the 220 to STARTTLS.

        DialogueLost when that fails, the server's certificate included.
        """
        if self._replies.pending:  # RFC 3207 4.2: it was said in clear, by whomever
            raise DialogueLost("the server spoke out of turn before TLS")
        try:
            self._peer = context.wrap_socket(self._peer, server_hostname=host)
        except OSError as error:  # ssl.SSLError is one
            reason = getattr(error, "verify_message", "") or getattr(error, "reason", "") or error
            raise DialogueLost(f"TLS with {host}: {reason}") from error

    def starttls(self, context: ssl.SSLContext, host: str, name: str) -> ServerReply:
        """Say STARTTLS and, once TLS is on, EHLO again; returns the reply that ended it."""
        reply = self.say(b"STARTTLS")
        if not reply.good:
            return reply
        self.encrypt(context, host)
        self.features = Features()
        return self._hello(name)

    def login(self, exchange: ClientExchange) -> ServerReply:
        """Log in (RFC 4954); returns the server's last word.

        DialogueLost when the server cannot prove to be the one that knows the password.
        """
        first = exchange.initial()
        command = b"AUTH " + exchange.name.encode()
        reply = self.say(command if first is None else command + b" " + (base64.b64encode(first) or b"="))
        try:
            while reply.code == 334:
                challenge = base64.b64decode(reply.text[4:], validate=True)
                reply = self.say(base64.b64encode(exchange.respond(challenge)))
            if reply.good:
                exchange.finished(None)
        except (SaslError, ValueError) as error:  # ValueError: no base64
            raise DialogueLost(f"AUTH: {error}") from error
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
        if self._listener is not None:
            self._listener("C", data)
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
                if self._listener is not None:
                    self._listener("S", data)
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


def connect(host: str, port: int, *, timeout: float = 60.0, lmtp: bool = False, listener: Listener | None = None) -> Dialogue:  # fmt: skip  # noqa: E501
    """Connect to a host.  NoServer when that fails."""
    try:
        peer = socket.create_connection((host, port), timeout)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise NoServer(f"connect to {host} port {port}: {reason}") from error
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return Dialogue(peer, timeout=timeout, lmtp=lmtp, listener=listener)
