"""``unix:passwd.byname`` and ``unix:group.byname``: the system's users and groups."""

from __future__ import annotations

import grp
import pwd
from collections.abc import Callable

from postroad.tables.local import LocalTable


def _passwd(key: str) -> str:
    entry = pwd.getpwnam(key)
    return ":".join(str(field) for field in entry)


def _group(key: str) -> str:
    name, password, gid, members = grp.getgrnam(key)
    return f"{name}:{password}:{gid}:{','.join(members)}"


_KINDS: dict[str, Callable[[str], str]] = {"passwd.byname": _passwd, "group.byname": _group}


class Unix(LocalTable):
    """Answers with the lines of passwd(5) and group(5)."""

    def __init__(self, name: str, argument: str) -> None:
        super().__init__(name)
        if argument not in _KINDS:
            raise ValueError(f"unknown table: {name}")
        self._find = _KINDS[argument]

    def get(self, key: str) -> str | None:
        """Look a user or group up by name."""
        if not key or "\0" in key or ":" in key or "\n" in key:
            return None  # never a name, and not to be put before the system's databases
        try:
            return self._find(key)
        except KeyError:
            return None
