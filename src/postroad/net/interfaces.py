"""The machine's own addresses, and which of them this mail system receives on."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Iterable
from typing import NamedTuple

from postroad.base.interfaces import own_interfaces, parse_interfaces
from postroad.base.params import Settings
from postroad.model.params import INET_INTERFACES, INET_PROTOCOLS, PROXY_INTERFACES
from postroad.net.hostname import bare_address, plain_address


class Interface(NamedTuple):
    """An address of the machine, and the length of its network's prefix in bits."""

    address: str
    prefix: int


def machine_interfaces() -> list[Interface]:
    """Return the machine's addresses, as the kernel tells them; loopback alone if it does not."""
    return [Interface(str(each.ip), each.network.prefixlen) for each in parse_interfaces(own_interfaces())]


def families(settings: Settings) -> tuple[int, ...]:
    """Return the internet protocols in use (inet_protocols): 4, 6 or both, IPv4 first."""
    named = {word.lower() for word in settings[INET_PROTOCOLS]}
    both = not named or "all" in named
    return tuple(
        family
        for family, word in ((4, "ipv4"), (6, "ipv6"))
        if (both or word in named) and (family == 4 or word in named or _has_ipv6())
    )


def _has_ipv6() -> bool:
    try:
        socket.socket(socket.AF_INET6).close()
    except OSError:
        return False
    return True


class OwnAddresses:
    """The addresses of this mail system (inet_interfaces) and of proxies in front (proxy_interfaces)."""

    def __init__(self, own: Iterable[str], proxy: Iterable[str] = (), *, everything: bool = False) -> None:
        self.own = tuple(own)
        self.proxy = tuple(proxy)
        self._all = frozenset(self.own) | frozenset(self.proxy)
        self._everything = everything

    def __contains__(self, address: object) -> bool:
        """Say whether mail sent to this address would come back to us."""
        if address in self._all:
            return True
        ip = bare_address(str(address)) if isinstance(address, str) else None
        if ip is None:
            return False
        ip = plain_address(ip)
        if ip in self._all or ip in ("0.0.0.0", "::"):
            return True  # the unspecified address leads to this host
        return self._everything and ip.startswith("127.")  # all of 127/8 does, when we listen everywhere


def _addresses_of(host: str) -> list[str]:
    try:
        return [
            plain_address(str(info[4][0])) for info in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        ]
    except (OSError, UnicodeError):
        return []


def own_addresses(
    settings: Settings,
    *,
    machine: Callable[[], Iterable[Interface]] = machine_interfaces,
    lookup: Callable[[str], list[str]] = _addresses_of,
) -> OwnAddresses:
    """Work out the own addresses.  May wait for the name service: call it before serving, not during.

    Raises ValueError, in Postfix's words, for a host in inet_interfaces or proxy_interfaces that has
    no address.
    """
    used = families(settings)
    names = settings[INET_INTERFACES]
    everything = "all" in names
    if everything or "loopback-only" in names:
        own = [
            interface.address
            for interface in machine()
            if everything or ipaddress.ip_address(interface.address).is_loopback
        ]
    else:
        own = _listed("inet_interfaces", names, lookup)
    proxies = settings[PROXY_INTERFACES]
    proxy = _listed("proxy_interfaces", proxies, lookup)
    return OwnAddresses(
        (a for a in dict.fromkeys(own) if (6 if ":" in a else 4) in used),
        dict.fromkeys(proxy),
        everything=everything,
    )


def _listed(parameter: str, hosts: Iterable[str], lookup: Callable[[str], list[str]]) -> list[str]:
    found: list[str] = []
    for host in hosts:
        inside = host[1:-1] if host.startswith("[") and host.endswith("]") else host
        address = bare_address(inside)
        addresses = [address] if address else lookup(inside)
        if not addresses:
            raise ValueError(f"config variable {parameter}: host not found: {host}")
        found += addresses
    return found
