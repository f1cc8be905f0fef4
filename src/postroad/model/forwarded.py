"""What a client says of where a message comes from (XFORWARD)."""

from __future__ import annotations

from dataclasses import dataclass

UNKNOWN = "unknown"


@dataclass(slots=True)
class Forwarded:
    """The client of a client, for the log and for hosts farther on.  No decision rests on it.

    ``unknown`` is what was not said, for ``helo`` and ``ident`` it is "".  ``about_client``: more was
    said than ``ident`` and ``source``.  ``source``: LOCAL, REMOTE or "".
    """

    name: str = UNKNOWN
    address: str = UNKNOWN
    port: str = UNKNOWN
    protocol: str = UNKNOWN
    helo: str = ""
    ident: str = ""
    source: str = ""
    about_client: bool = False

    @property
    def origin(self) -> str:
        """Return ``name[address]`` as log lines name a client; the name alone where that is all."""
        return self.name if self.address == UNKNOWN else f"{self.name}[{self.address}]"
