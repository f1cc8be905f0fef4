"""Which DNS servers are asked: those of resolver_addresses, or the system's, followed when they change."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

from postroad.base.clock import Clock
from postroad.net.hostname import bare_address

_LOOK_AGAIN = 5.0  # seconds between two looks at the file
_MOST = 3  # resolv.conf(5): MAXNS


@dataclass(frozen=True, slots=True)
class Server:
    """A DNS server.

    Its word that an answer is authentic (AD) counts wherever it is, as in Postfix: DANE would be
    silently off behind a validating server elsewhere.  The way there should be safe, best by being none.
    """

    address: str
    port: int = 53


def parse_server(text: str) -> Server:
    """Return the server that ``host``, ``host:port`` or ``[host]:port`` names; ValueError if none."""
    host, port = text, "53"
    if text.startswith("["):
        host, closed, rest = text[1:].partition("]")
        if not closed or (rest and not rest.startswith(":")):
            raise ValueError(f"expected [address]:port, not {text!r}")
        port = rest[1:] if rest else port
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    address = bare_address(host)
    if address is None:
        raise ValueError(f"{host!r} is not an IP address")
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise ValueError(f"{port!r} is not a port")
    return Server(address, int(port))


def read_resolv_conf(text: str) -> tuple[Server, ...]:
    """Return the servers of a resolv.conf(5); that of this host when it names none."""
    addresses: list[str] = []
    for line in text.splitlines():
        words = line.split()
        if len(words) > 1 and words[0] == "nameserver":
            address = bare_address(words[1])
            if address:
                addresses.append(address)
    return tuple(Server(a) for a in (addresses or ["127.0.0.1"])[:_MOST])


class Servers:
    """The servers to ask now."""

    def __init__(self, configured: Iterable[str], clock: Clock, path: str = "/etc/resolv.conf") -> None:
        self._fixed = tuple(parse_server(text) for text in configured)
        self._path = path
        self._clock = clock
        self._looked = float("-inf")
        self._stamp: tuple[int, int, int] | None = None
        self._servers = self._fixed or (Server("127.0.0.1"),)

    def now(self) -> tuple[Server, ...]:
        """Return the servers, in the order of asking.  A file that went away changes nothing."""
        if not self._fixed and self._clock.steady() - self._looked >= _LOOK_AGAIN:
            self._looked = self._clock.steady()
            self._follow()
        return self._servers

    def _follow(self) -> None:
        try:
            status = os.stat(self._path)  # noqa: PTH116 - the cheap form, on the way of look-ups
            stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
            if stamp != self._stamp:
                with open(self._path, encoding="ascii", errors="replace") as file:  # noqa: PTH123
                    self._servers = read_resolv_conf(file.read(65536))
                self._stamp = stamp
        except OSError:
            return
