"""What counts as one client: an address, or the network that it is in."""

from __future__ import annotations

import ipaddress
from functools import lru_cache


class Networks:
    """The lengths of prefixes, in bits, by which clients are counted."""

    __slots__ = ("_v4", "_v6")

    def __init__(self, v4: int, v6: int) -> None:
        self._v4 = v4
        self._v6 = v6

    def of(self, address: str) -> str:
        """Return the network of an address; what is none is counted under its own name."""
        if ":" in address:
            return address if self._v6 == 128 else _masked(address, self._v6)
        return address if self._v4 == 32 else _masked(address, self._v4)


@lru_cache(4096)
def _masked(address: str, length: int) -> str:
    try:
        return str(ipaddress.ip_network(f"{address}/{length}", strict=False))
    except ValueError:
        return address
