"""XCLIENT and XFORWARD: what an authorized client says of the one it speaks for.

XCLIENT makes it another client, and the session begins anew; XFORWARD is for the log alone.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from postroad.model.client import Client
from postroad.model.forwarded import UNKNOWN, Forwarded
from postroad.model.reply import Reply
from postroad.proto.hostname import MAX_NAME, valid_address, valid_hostname
from postroad.proto.machine import State
from postroad.proto.words import Word

if TYPE_CHECKING:
    from postroad.proto.server import ServerSession

_OK = b"250 2.0.0 Ok\r\n"
_UNTRUSTED = Reply(550, "5.7.0", "Error: insufficient authorization")
_NO_VALUE = Reply(501, "5.5.4", "Error: attribute=value expected")
_TOO_LONG = Reply(501, "5.5.4", "Error: attribute value too long")
_LONGEST = 255
_LONGEST_PROTOCOL = 64
_UNAVAILABLE, _NOT_NOW = "[unavailable]", "[tempunavail]"
_CODE = re.compile(rb"\+([0-9A-Fa-f]{2})?")
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_NEUTERED = str.maketrans(dict.fromkeys(' <>()\\";@', "?"))


class _BadValue(Exception):  # noqa: N818 - the value is
    """A value that its attribute cannot have; it is the text."""


def _attributes(found: Sequence[Word]) -> Iterator[tuple[str, str]]:
    """Yield names and values, decoded, nothing unprintable in them.  ValueError has the refusal."""
    for word in found[1:]:
        name, _, value = word.partition("=")
        if not value:
            raise ValueError(_NO_VALUE)
        if len(value.encode("utf-8", "surrogateescape")) > _LONGEST:
            raise ValueError(_TOO_LONG)
        yield name, _UNPRINTABLE.sub("?", _decoded(value))


def _decoded(value: str) -> str:
    """Decode xtext (RFC 3461 4); a value that is none stands for itself, as it did before Postfix 2.3."""
    raw = value.encode("utf-8", "surrogateescape")
    if any(match[1] is None for match in _CODE.finditer(raw)):
        return value
    raw = _CODE.sub(lambda match: bytes([int(match[1], 16)]), raw)
    return raw.partition(b"\0")[0].decode("utf-8", "surrogateescape")


def _name(value: str) -> str:
    if not valid_hostname(value):
        raise _BadValue(value)
    return value


def _address(value: str) -> str:
    """Read an address; one of IPv6 has the prefix ``IPV6:``."""
    if value[:5].lower() == "ipv6:":
        if ":" not in value[5:] or not valid_address(value[5:]):
            raise _BadValue(value)
        address = ipaddress.IPv6Address(value[5:])
        return str(address.ipv4_mapped or address)
    if ":" in value or not valid_address(value):
        raise _BadValue(value)
    return ".".join(str(int(octet)) for octet in value.split("."))


def _port(value: str) -> str:
    if not (value.isascii() and value.isdigit() and len(value) <= 5):
        raise _BadValue(value)
    return value


def _syntax(server: ServerSession, found: Sequence[Word], allowed: bool) -> bool:
    """Whether the command may be looked at."""
    if len(found) < 2:
        server.refuse(Reply(501, "5.5.4", f"Syntax: {server.verb.name} attribute=value..."))
    elif not allowed:
        server.refuse(_UNTRUSTED)
    else:
        return True
    return False


def _refuse_attribute(server: ServerSession, name: str, error: Exception) -> None:
    """Say what is wrong with an attribute: KeyError when there is none of this name."""
    if isinstance(error, KeyError):
        text = f"Bad {server.verb.name} attribute name: {_UNPRINTABLE.sub('?', name)}"
    else:
        text = f"Bad {name.upper()} syntax: {error}"
    server.refuse(Reply(501, "5.5.4", text))


# -- XCLIENT


class _Spoken:
    """What one XCLIENT command says."""

    __slots__ = ("client", "helo", "login", "protocol")

    def __init__(self, client: Client) -> None:
        self.client = client
        self.helo: str | None = None
        self.protocol = ""
        self.login = ""

    def name(self, value: str) -> None:
        """A verified name is the reverse name too."""
        client = self.client
        client.name, client.name_code = _name_and_code(value)
        if client.name_code == 2:
            client.reverse_name, client.reverse_name_code = client.name, 2

    def reverse_name(self, value: str) -> None:
        self.client.reverse_name, self.client.reverse_name_code = _name_and_code(value)

    def address(self, value: str) -> None:
        self.client.address = UNKNOWN if value.lower() == _UNAVAILABLE else _address(value)

    def port(self, value: str) -> None:
        self.client.port = 0 if value.lower() == _UNAVAILABLE else int(_port(value))

    def server_address(self, value: str) -> None:
        self.client.server_address = UNKNOWN if value.lower() == _UNAVAILABLE else _address(value)

    def server_port(self, value: str) -> None:
        self.client.server_port = 0 if value.lower() == _UNAVAILABLE else int(_port(value))

    def say_helo(self, value: str) -> None:
        if len(value) > MAX_NAME:
            raise _BadValue(value)
        self.helo = "" if value.lower() == _UNAVAILABLE else value.translate(_NEUTERED)

    def say_protocol(self, value: str) -> None:
        if value.upper() not in ("SMTP", "ESMTP"):
            raise _BadValue(value)
        self.protocol = value.upper()

    def log_in(self, value: str) -> None:
        self.login = "" if value.lower() == _UNAVAILABLE else value


def _name_and_code(value: str) -> tuple[str, int]:
    lowered = value.lower()
    if lowered == _UNAVAILABLE:
        return UNKNOWN, 5
    if lowered == _NOT_NOW:
        return UNKNOWN, 4
    return _name(value), 2


_CLIENT: dict[str, Callable[[_Spoken, str], None]] = {
    "NAME": _Spoken.name,
    "REVERSE_NAME": _Spoken.reverse_name,
    "ADDR": _Spoken.address,
    "PORT": _Spoken.port,
    "HELO": _Spoken.say_helo,
    "PROTO": _Spoken.say_protocol,
    "LOGIN": _Spoken.log_in,
    "DESTADDR": _Spoken.server_address,
    "DESTPORT": _Spoken.server_port,
}


def xclient(server: ServerSession, found: Sequence[Word]) -> None:
    """XCLIENT: the client is another one from now on, if all that it says can be read."""
    if not _syntax(server, found, server.xclient):
        return
    session = server.session
    spoken = _Spoken(replace(session.client, trusted=False))
    name = ""
    try:
        for name, value in _attributes(found):
            _CLIENT[name.upper()](spoken, value)
    except (_BadValue, KeyError) as error:
        _refuse_attribute(server, name, error)
        return
    except ValueError as error:
        server.refuse(error.args[0])
        return
    server.drop()
    session.client = spoken.client
    session.helo = spoken.helo or ""
    session.protocol = spoken.protocol or "SMTP"
    session.sasl_username, session.sasl_method = spoken.login, "XCLIENT" if spoken.login else ""
    session.memory.clear()  # what was found out was about another client
    server.state = State.PLAIN if server.options.tls_required and session.tls_facts is None else State.IDLE
    server.ask(server.hooks.xclient(), server.greet)


# -- XFORWARD


def _neutered(value: str) -> str:
    return value.translate(_NEUTERED)


def _forwarded_protocol(value: str) -> str:
    if len(value) > _LONGEST_PROTOCOL:
        raise _BadValue(value)
    return _neutered(value)


def _source(value: str) -> str:
    if value.upper() not in ("LOCAL", "REMOTE"):
        raise _BadValue(value)
    return value.upper()


#: By attribute: the field, its value when that is not available, and what reads it.
_FORWARD: dict[str, tuple[str, str, Callable[[str], str]]] = {
    "NAME": ("name", UNKNOWN, lambda value: _name(_neutered(value))),
    "ADDR": ("address", UNKNOWN, lambda value: _address(_neutered(value))),
    "PORT": ("port", UNKNOWN, _port),
    "PROTO": ("protocol", UNKNOWN, _forwarded_protocol),
    "HELO": ("helo", "", _neutered),
    "IDENT": ("ident", "", _neutered),
    "SOURCE": ("source", "", _source),
}
_NOT_OF_CLIENT = ("IDENT", "SOURCE")


def xforward(server: ServerSession, found: Sequence[Word]) -> None:
    """XFORWARD: where the next message comes from.  Several commands add up."""
    if not _syntax(server, found, server.xforward):
        return
    transaction = server.session.transaction
    forwarded = replace(transaction.forwarded) if transaction.forwarded is not None else Forwarded()
    name = ""
    try:
        for name, value in _attributes(found):
            field, otherwise, read = _FORWARD[name.upper()]
            setattr(forwarded, field, otherwise if value.lower() == _UNAVAILABLE else read(value))
            forwarded.about_client = forwarded.about_client or name.upper() not in _NOT_OF_CLIENT
    except (_BadValue, KeyError) as error:
        _refuse_attribute(server, name, error)
        return
    except ValueError as error:
        server.refuse(error.args[0])
        return
    transaction.forwarded = forwarded
    server.accept(_OK)
