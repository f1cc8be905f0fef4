"""/etc/hosts: what the native name service knows before it asks the DNS."""

from __future__ import annotations

import os

from postroad.base.clock import Clock
from postroad.net.hostname import bare_address

_LOOK_AGAIN = 5.0  # seconds between two looks at the file
_LARGEST = 16 << 20


class HostsFile:
    """The names and addresses of a hosts(5) file, followed when it changes; empty if it cannot be read."""

    def __init__(self, clock: Clock, path: str = "/etc/hosts") -> None:
        self._clock = clock
        self._path = path
        self._looked = float("-inf")
        self._stamp: tuple[int, int, int] | None = None
        self._addresses: dict[str, list[str]] = {}
        self._names: dict[str, str] = {}

    def addresses(self, name: str, family: int = 0) -> list[str]:
        """Return the addresses of a name, of family 4, 6, or both (0)."""
        self._follow()
        found = self._addresses.get(name.lower(), [])
        return [a for a in found if not family or (":" in a) == (family == 6)]

    def name(self, address: str) -> str:
        """Return the first name of an address, "" if it has none here."""
        self._follow()
        return self._names.get(address, "")

    def _follow(self) -> None:
        if self._clock.steady() - self._looked < _LOOK_AGAIN:
            return
        self._looked = self._clock.steady()
        try:
            status = os.stat(self._path)  # noqa: PTH116 - the cheap form, on the way of look-ups
            stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
            if stamp == self._stamp:
                return
            with open(self._path, encoding="utf-8", errors="replace") as file:  # noqa: PTH123
                self._read(file.read(_LARGEST))
            self._stamp = stamp
        except OSError:
            return

    def _read(self, text: str) -> None:
        addresses: dict[str, list[str]] = {}
        names: dict[str, str] = {}
        for line in text.splitlines():
            words = line.partition("#")[0].split()
            address = bare_address(words[0]) if len(words) > 1 else None
            if address is None:
                continue
            names.setdefault(address, words[1])
            for name in words[1:]:
                known = addresses.setdefault(name.lower(), [])
                if address not in known:
                    known.append(address)
        self._addresses, self._names = addresses, names
