"""The transport of a client whose connection a proxy has passed on, for who talks with the client then."""

from __future__ import annotations

from typing import Any


class PassedTransport:
    """A transport that knows the addresses which the proxy named; all else is the connection's own."""

    def __init__(self, transport: Any, peer: tuple[str, int], own: tuple[str, int]) -> None:
        self._transport = transport
        self._known = {"peername": peer, "sockname": own}

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return what the proxy said, or what the transport knows."""
        return self._known[name] if name in self._known else self._transport.get_extra_info(name, default)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
