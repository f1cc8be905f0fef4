"""The PROXY protocol, versions 1 and 2: whose connection a proxy has passed on.

https://www.haproxy.org/download/2.8/doc/proxy-protocol.txt; sections are named at the lines that obey it.
"""

from __future__ import annotations

import ipaddress
import struct
from dataclasses import dataclass

from postroad.base.errors import PostroadError

_SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
_LONGEST_LINE = 107  # 2.1, with its line end
_HEAD = struct.Struct("!12sBBH")
#: Bytes of addresses and further fields in version 2 that are taken; Postfix takes 512 in all.
_LONGEST_BODY = 512
_PROXY, _LOCAL = 1, 0
_ENDS = ("client", "server")
_FORMATS = {0x11: struct.Struct("!4s4sHH"), 0x21: struct.Struct("!16s16sHH")}  # TCP over IPv4, IPv6


class ProxyError(PostroadError):
    """What came is no header of the protocol, or one that says nothing useful."""


@dataclass(frozen=True, slots=True)
class Proxied:
    """Both ends of the client's connection; ``size`` is the header's, in bytes.

    ``local``: the proxy speaks for itself (a health check), so that the connection's own addresses count.
    """

    size: int
    client_address: str = ""
    client_port: int = 0
    server_address: str = ""
    server_port: int = 0
    local: bool = False


def parse(data: bytes) -> Proxied | None:
    """Read the header at the beginning of ``data``; None while it is not complete.

    ProxyError as soon as it cannot become one, so that no more than its limit is ever waited for.
    """
    if data.startswith(_SIGNATURE[: len(data)]):
        return _binary(data) if len(data) >= _HEAD.size else None
    if data.startswith(b"PROXY "[: len(data)]):
        return _line(data)
    raise ProxyError("short protocol header")


def _line(data: bytes) -> Proxied | None:
    end = data.find(b"\r\n", 0, _LONGEST_LINE)
    if end < 0:
        if len(data) >= _LONGEST_LINE or b"\n" in data:
            raise ProxyError("missing protocol header terminator")
        return None
    words = data[:end].decode("latin-1").split(" ")
    if words[1] == "UNKNOWN":  # 2.1: what follows is not to be believed
        return Proxied(end + 2, local=True)
    if words[1] not in ("TCP4", "TCP6"):
        raise ProxyError("bad or missing protocol type")
    version = int(words[1][3])
    words += [""] * (6 - len(words))
    client, server = (_address(word, version, whose) for word, whose in zip(words[2:4], _ENDS, strict=True))
    client_port, server_port = (_port(word, whose) for word, whose in zip(words[4:6], _ENDS, strict=True))
    if len(words) > 6:
        raise ProxyError("garbage behind the server port")
    return Proxied(end + 2, client, client_port, server, server_port)


def _address(text: str, version: int, whose: str) -> str:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        address = None
    if address is None or address.version != version or "%" in text:
        raise ProxyError(f"bad or missing {whose} address")
    return _plain(address)


def _plain(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
    """An IPv4 address that is written as an IPv6 one is an IPv4 address."""
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped or address)


def _port(text: str, whose: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and int(text) <= 65535):
        raise ProxyError(f"bad or missing {whose} port")
    return int(text)


def _binary(data: bytes) -> Proxied | None:
    _, kind, family, length = _HEAD.unpack_from(data)
    if kind >> 4 != 2:
        raise ProxyError("the PROXY header's version is not 2")
    if length > _LONGEST_BODY:
        raise ProxyError("the PROXY header is too long")
    size = _HEAD.size + length
    command = kind & 0xF
    if command not in (_PROXY, _LOCAL):  # 2.2: other values are dropped
        raise ProxyError("the PROXY header has an unknown command")
    form = _FORMATS.get(family)
    if command == _PROXY and (form is None or length < form.size):
        raise ProxyError("unsupported network protocol")
    if len(data) < size:
        return None
    if command == _LOCAL or form is None:
        return Proxied(size, local=True)
    client, server, client_port, server_port = form.unpack_from(data, _HEAD.size)
    ends = [_plain(ipaddress.ip_address(each)) for each in (client, server)]
    return Proxied(size, ends[0], client_port, ends[1], server_port)
