"""The listening sockets that master.cf asks for, one per worker and address (SO_REUSEPORT).

The supervisor binds them all before a worker runs, and keeps them: a connection that arrives while a
worker is being replaced waits in the socket's queue.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterable
from dataclasses import dataclass

from postroad.base.config import Config, Service
from postroad.base.errors import ConfigurationError, Problem, Severity
from postroad.base.params import Settings
from postroad.model.params import INET_INTERFACES, INET_PROTOCOLS

BACKLOG = 1024
_NO_IPV6 = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)
_TAKEN = "another program listens there"
_PORTS = {"smtp": 25, "submission": 587, "submissions": 465, "smtps": 465, "lmtp": 24}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where one service listens: ``service`` is its ``name/type`` in master.cf."""

    service: str
    family: int
    address: str
    port: int
    where: str

    @property
    def key(self) -> str:
        """Return a text that is the same as long as nothing about the endpoint changes."""
        return f"{self.service} {self.address} {self.port}"


#: Each endpoint's sockets, one per worker, by the endpoint's key.
Opened = dict[str, tuple[Endpoint, list[socket.socket]]]


def endpoints(config: Config) -> tuple[list[Endpoint], list[Problem]]:
    """Return every endpoint of the smtpd and postscreen services, and what is wrong with any."""
    found: list[Endpoint] = []
    problems: list[Problem] = []
    for service in config.services:
        if service.type != "inet" or service.command not in ("smtpd", "postscreen"):
            continue
        try:
            found += _of(service, config.settings_for(service))
        except (OSError, ValueError) as error:
            problems.append(
                Problem(service.where, f"service {service.name}: {error}", "is the host or port right?")
            )
    return found, problems


def _of(service: Service, settings: Settings) -> Iterable[Endpoint]:
    host, port = _split(service.name)
    protocols, interfaces = settings[INET_PROTOCOLS], settings[INET_INTERFACES]
    families = _families(protocols)
    hosts = [host] if host else list(interfaces)
    # Two names may be one address, and getaddrinfo may say one twice.
    places = dict.fromkeys(place for each in hosts for place in _addresses(each, families))
    if not places:
        raise ValueError(f"no address of {', '.join(hosts) or 'any interface'} is in inet_protocols")
    for family, address in places:
        yield Endpoint(service.key, family, address, port, service.where)


def _split(name: str) -> tuple[str, int]:
    host, colon, port = name.rpartition(":")
    if not colon:
        host, port = "", name
    host = host.removeprefix("[").removesuffix("]")
    number = int(port) if port.isdigit() else _PORTS.get(port) or socket.getservbyname(port, "tcp")
    if number > 65535:
        raise ValueError(f"no such port: {port}")
    return host, number


def _families(protocols: Iterable[str]) -> tuple[int, ...]:
    names = set(protocols)
    if "all" in names:
        return (socket.AF_INET, socket.AF_INET6)
    return tuple(
        family for name, family in (("ipv4", socket.AF_INET), ("ipv6", socket.AF_INET6)) if name in names
    )


def _addresses(name: str, families: tuple[int, ...]) -> Iterable[tuple[int, str]]:
    fixed: dict[int, str] | None = {
        "all": {int(socket.AF_INET): "0.0.0.0", int(socket.AF_INET6): "::"},
        "loopback-only": {int(socket.AF_INET): "127.0.0.1", int(socket.AF_INET6): "::1"},
    }.get(name)
    if fixed is not None:
        yield from (
            (family, fixed[family]) for family in families if family == socket.AF_INET or socket.has_ipv6
        )
        return
    host = name.removeprefix("[").removesuffix("]")
    for family, _type, _proto, _name, sockaddr in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM):
        place = (int(family), str(sockaddr[0]))
        if family in families:
            yield place


def bind(endpoint: Endpoint, count: int) -> list[socket.socket]:
    """Bind one listening socket per worker; OSError when the address cannot be had.

    An IPv6 that the machine does not have is no error for ``::`` and ``::1``: the list is empty.
    """
    made: list[socket.socket] = []
    try:
        _probe(endpoint)
        for _ in range(count):
            sock = socket.socket(endpoint.family, socket.SOCK_STREAM)
            made.append(sock)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            if endpoint.family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.bind((endpoint.address, endpoint.port))
            sock.listen(BACKLOG)
            sock.setblocking(False)
    except OSError as error:
        close(made)
        if endpoint.address in ("::", "::1") and error.errno in _NO_IPV6:
            return []
        raise
    return made


def close(sockets: Iterable[socket.socket]) -> None:
    """Close them."""
    for sock in sockets:
        sock.close()


def open_all(config: Config, count: int, held: Opened) -> Opened:
    """Return the sockets that a configuration asks for: those that are held, and new ones.

    Nothing is closed.  ConfigurationError, with nothing opened, when one cannot be had.
    """
    wanted, problems = endpoints(config)
    free = {
        (e.address, e.port): socks for key, (e, socks) in held.items() if key not in {w.key for w in wanted}
    }
    found: Opened = {}
    made: list[socket.socket] = []
    users: dict[tuple[str, int], Endpoint] = {}
    for endpoint in wanted:
        place = (endpoint.address, endpoint.port)
        other = users.setdefault(place, endpoint)
        try:
            if endpoint.key in held:
                sockets = held[endpoint.key][1]
            elif place in free:  # the service has another name now
                sockets = free[place]
            else:
                sockets = bind(endpoint, count)
                made += sockets
        except OSError as error:
            hint = "may this user bind it?"
            if error.errno == errno.EADDRINUSE:
                hint = f"the service at {other.where} has it" if other is not endpoint else _TAKEN
            message = f"bind [{endpoint.address}]:{endpoint.port}: {error.strerror}"
            problems.append(Problem(endpoint.where, message, hint))
        else:
            found[endpoint.key] = (endpoint, sockets)
    errors = [problem for problem in problems if problem.severity is Severity.ERROR]
    if errors:
        close(made)
        raise ConfigurationError(errors)
    return found


def close_unused(former: Opened, kept: Opened) -> None:
    """Close the sockets of ``former`` that ``kept`` has not."""
    still = {id(sockets) for _endpoint, sockets in kept.values()}
    for _endpoint, sockets in former.values():
        if id(sockets) not in still:
            close(sockets)


def _probe(endpoint: Endpoint) -> None:
    """Raise OSError where another program listens: SO_REUSEPORT would share the port with it silently."""
    with socket.socket(endpoint.family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if endpoint.family == socket.AF_INET6:
            probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        probe.bind((endpoint.address, endpoint.port))
