"""The client's side of Dovecot's authentication protocol 1.x: lines of fields between tabs.

    client = AuthClient(pid)
    transport.write(client.hello())
    for event in client.feed(data): ...          # Ready, then Continue, Accepted, Rejected
    transport.write(client.begin(number, "PLAIN", Context(...), initial))

No bytes of a client get into a line but in base64, and no line gets longer than Dovecot reads: it would
close the connection, and with it everybody's exchanges.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

#: Lines of either end; Dovecot has the same limit (and Postfix gives up there, too).
LINE_LIMIT = 8192
_UNESCAPE = re.compile("\1(.)", re.DOTALL)
_ESCAPES = {"0": "\0", "1": "\1", "t": "\t", "n": "\n", "r": "\r"}
_MAJOR = "1"
_MECHANISMS = 64  # more than that is no handshake


class AuthProtocolError(Exception):
    """What the server says is not this protocol; the connection cannot be used any more."""


class ResponseTooLongError(Exception):
    """A client's response does not fit into a line; the connection is as good as before."""


@dataclass(frozen=True, slots=True)
class Context:
    """What Dovecot is told of a session."""

    service: str
    local_address: str = ""
    remote_address: str = ""
    secured: bool = False
    valid_certificate: bool = False


@dataclass(frozen=True, slots=True)
class Ready:
    """The handshake is over: the mechanisms with their properties, private ones left out."""

    mechanisms: Mapping[str, frozenset[str]]


@dataclass(frozen=True, slots=True)
class Continue:
    """The client is asked once more."""

    number: int
    challenge: bytes


@dataclass(frozen=True, slots=True)
class Accepted:
    """The client is this user."""

    number: int
    username: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """It is not; or with ``temporary`` nobody could look.  ``flags`` are user_disabled and the like."""

    number: int
    username: str = ""
    reason: str = ""
    temporary: bool = False
    flags: frozenset[str] = field(default_factory=frozenset)


Event = Ready | Continue | Accepted | Rejected
_FLAGS = frozenset({"authz", "user_disabled", "pass_expired"})


class AuthClient:
    """One connection; no sockets."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._buffer = b""
        self._version = False
        self._mechanisms: dict[str, frozenset[str]] = {}
        self.ready = False

    def hello(self) -> bytes:
        """Return what goes out first."""
        return f"VERSION\t{_MAJOR}\t1\nCPID\t{self._pid}\n".encode()

    def begin(self, number: int, mechanism: str, context: Context, initial: bytes | None) -> bytes:
        """Return the line that begins an exchange.  ResponseTooLongError."""
        fields = ["AUTH", str(number), mechanism, f"service={context.service}", "nologin"]
        if context.local_address:
            fields.append(f"lip={context.local_address}")
        if context.remote_address:
            fields.append(f"rip={context.remote_address}")
        if context.secured:
            fields.append("secured")
        if context.valid_certificate:
            fields.append("valid-client-cert")
        if initial is not None:
            fields.append("resp=" + base64.b64encode(initial).decode())  # has to be the last
        return _line(fields)

    def resume(self, number: int, response: bytes) -> bytes:
        """Return the line with a further response.  ResponseTooLongError."""
        return _line(["CONT", str(number), base64.b64encode(response).decode()])

    def cancel(self, number: int) -> bytes:
        """Return the line that ends an exchange without its result."""
        return _line(["CANCEL", str(number)])

    def feed(self, data: bytes) -> Iterator[Event]:
        """Take what came, cut anywhere; yield what it says.  AuthProtocolError for anything else."""
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        for line in lines:
            if len(line) > LINE_LIMIT:
                raise AuthProtocolError("a line is too long")
            event = self._read(line.decode("utf-8", "replace").split("\t"))
            if event is not None:
                yield event
        if len(self._buffer) > LINE_LIMIT:
            raise AuthProtocolError("a line is too long")

    def _read(self, fields: list[str]) -> Event | None:
        if self.ready:
            return _reply(fields)
        name, *rest = fields
        if name == "VERSION":
            if len(rest) < 2 or rest[0] != _MAJOR:
                raise AuthProtocolError(f"protocol version {'.'.join(rest)[:20]} is not 1.x")
            self._version = True
        elif name == "MECH" and rest:
            if "private" not in rest[1:]:
                self._mechanisms[rest[0].upper()] = frozenset(rest[1:])
            if len(self._mechanisms) > _MECHANISMS:
                raise AuthProtocolError("too many mechanisms")
        elif name == "DONE":
            if not self._version:
                raise AuthProtocolError("no protocol version")
            self.ready = True
            return Ready(self._mechanisms)
        elif not self._version:
            raise AuthProtocolError("not Dovecot's authentication protocol")
        elif name == "SPID" and not self._mechanisms:  # the other sockets say no more than this
            raise AuthProtocolError("connected to wrong auth socket (auth-master instead of auth-client)")
        return None  # CUID, COOKIE, and what later versions may say


def _reply(fields: list[str]) -> Event | None:
    name = fields[0]
    if name not in ("OK", "CONT", "FAIL"):
        return None
    if len(fields) < 2 or not (fields[1].isascii() and fields[1].isdigit()) or len(fields[1]) > 10:
        raise AuthProtocolError(f"{name} without a number")
    number = int(fields[1])
    if name == "CONT":
        try:
            return Continue(number, base64.b64decode(fields[2] if len(fields) > 2 else "", validate=True))
        except ValueError:
            raise AuthProtocolError("a challenge that is not base64") from None
    values: dict[str, str] = {}
    for each in fields[2:]:
        key, _, value = each.partition("=")
        values.setdefault(key, _UNESCAPE.sub(lambda found: _ESCAPES.get(found[1], found[1]), value))
    username = values.get("user", "")
    if name == "FAIL":
        return Rejected(number, username, values.get("reason", ""), "temp" in values, _FLAGS & values.keys())
    if not username or not username.isprintable():
        raise AuthProtocolError("OK without a user")
    return Accepted(number, username)


def _line(fields: list[str]) -> bytes:
    text = "\t".join(fields).encode()
    # A name with a tab or an end of line in it would be read as something else.
    if text.count(b"\t") != len(fields) - 1 or b"\n" in text:
        raise ValueError("a tab or a line end in a field")
    if len(text) >= LINE_LIMIT:
        raise ResponseTooLongError
    return text + b"\n"
