"""What stands in a next hop: a host, perhaps in brackets, perhaps with a port."""

from __future__ import annotations

import socket


class BadDestinationError(ValueError):
    """A next hop that cannot be read; the message says why, in Postfix's words."""


def parse_destination(destination: str, default_port: str = "25") -> tuple[str, int]:
    """Split ``host``, ``host:port``, ``[host]`` or ``[host]:port``; the brackets go.

    Raises BadDestinationError.
    """
    host, service = destination, ""
    if destination.startswith("["):
        host, closed, rest = destination[1:].partition("]")
        if not closed or (rest and not rest.startswith(":")):
            raise BadDestinationError(f"bad syntax in server description: {destination}")
        service = rest[1:]
    elif destination.count(":") == 1:
        host, _, service = destination.partition(":")
    service = service or default_port
    if not host:
        raise BadDestinationError(f"missing host name in server description: {destination}")
    if service.isascii() and service.isdigit():
        if not 0 < int(service[:6]) < 65536:
            raise BadDestinationError(f"bad network port in destination: {destination}")
        return host, int(service)
    try:
        return host, socket.getservbyname(service, "tcp")
    except OSError:
        raise BadDestinationError(f"unknown service: {service}/tcp") from None
