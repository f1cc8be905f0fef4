"""The network addresses of this machine, with their masks, and what mynetworks is made of them.

Linux tells by netlink (rtnetlink(7)); elsewhere only the loopback addresses are known, and an
operator sets mynetworks.
"""

from __future__ import annotations

import ipaddress
import socket
import struct
from collections.abc import Iterable

_LOOPBACK = ("127.0.0.1/8", "::1/128")
_GETADDR, _NEWADDR, _DONE, _ERROR = 22, 20, 3, 2
_REQUEST_DUMP = 0x301
_LOCAL, _ADDRESS = 2, 1
_FAMILIES = {socket.AF_INET: 4, socket.AF_INET6: 16}
_CLASS_C, _CLASS_B = 192, 128  # first octets

Interface = ipaddress.IPv4Interface | ipaddress.IPv6Interface


def own_interfaces() -> tuple[str, ...]:
    """Return the addresses of all interfaces as ``address/prefix``, IPv4 first."""
    if not hasattr(socket, "AF_NETLINK"):
        return _LOOPBACK
    try:
        found = _ask_kernel()
    except OSError:
        return _LOOPBACK
    return tuple(sorted(found, key=lambda text: ":" in text)) or _LOOPBACK


def _ask_kernel() -> list[str]:
    found: list[str] = []
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as kernel:  # type: ignore[attr-defined,unused-ignore]
        kernel.settimeout(1)
        kernel.sendall(struct.pack("=IHHIIB7x", 24, _GETADDR, _REQUEST_DUMP, 1, 0, socket.AF_UNSPEC))
        while True:
            data = kernel.recv(1 << 16)
            at = 0
            while at + 16 <= len(data):
                length, kind = struct.unpack_from("=IH", data, at)
                if kind in (_DONE, _ERROR) or length < 16:
                    return found
                if kind == _NEWADDR:
                    text = _address(data[at + 16 : at + length])
                    if text and text not in found:
                        found.append(text)
                at += (length + 3) & ~3


def _address(body: bytes) -> str:
    """Read one ifaddrmsg and its attributes; empty for a family that mail does not use."""
    family, prefix = body[0], body[1]
    size = _FAMILIES.get(socket.AddressFamily(family)) if family in list(_FAMILIES) else None
    best = b""
    at = 8
    while size and at + 4 <= len(body):
        length, kind = struct.unpack_from("=HH", body, at)
        if length < 4:
            break
        value = body[at + 4 : at + length]
        # A point-to-point interface has the peer in _ADDRESS and its own in _LOCAL.
        if len(value) == size and (kind == _LOCAL or (kind == _ADDRESS and not best)):
            best = value
        at += (length + 3) & ~3
    return f"{ipaddress.ip_address(best)}/{prefix}" if best else ""


def parse_interfaces(texts: Iterable[str]) -> list[Interface]:
    """Read ``address/prefix`` texts; what is none is left out."""
    found: list[Interface] = []
    for text in texts:
        try:
            found.append(ipaddress.ip_interface(text))
        except ValueError:
            continue
    return found


def used_interfaces(every: list[Interface], names: Iterable[str], protocols: Iterable[str]) -> list[Interface]:  # fmt: skip  # noqa: E501
    """Return those that inet_interfaces and inet_protocols leave; a host's name is looked up.

    ``names`` is inet_interfaces as a list, ``protocols`` likewise.
    """
    wanted = {name.lower() for name in protocols}
    every = [each for each in every if "all" in wanted or f"ipv{each.version}" in wanted]
    chosen: list[Interface] = []
    for name in names:
        lowered = name.lower()
        if lowered == "all":
            chosen += every
        elif lowered == "loopback-only":
            chosen += [each for each in every if each.ip.is_loopback]
        else:
            addresses = _addresses_of(name.strip("[]"))
            chosen += [each for each in every if str(each.ip) in addresses]
    return list(dict.fromkeys(chosen))


def _addresses_of(host: str) -> set[str]:
    try:
        return {str(ipaddress.ip_address(host))}
    except ValueError:
        pass
    try:
        return {str(info[4][0]) for info in socket.getaddrinfo(host, None)}
    except (OSError, UnicodeError):
        return set()


def default_networks(interfaces: Iterable[Interface], style: str) -> str:
    """Return mynetworks as mynetworks_style makes it: ``host``, ``subnet`` or ``class``."""
    networks: list[str] = []
    for each in interfaces:
        if style == "host":
            prefix: int = each.max_prefixlen
        elif style == "class" and each.version == 4:
            first = each.ip.packed[0]
            prefix = 24 if first >= _CLASS_C else 16 if first >= _CLASS_B else 8
        else:
            prefix = each.network.prefixlen
        network = ipaddress.ip_network(f"{each.ip}/{prefix}", strict=False)
        address = str(network.network_address)
        networks.append(f"[{address}]/{prefix}" if each.version == 6 else f"{address}/{prefix}")
    return " ".join(dict.fromkeys(networks))
