"""Who is at the other end of a session."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Client:
    """An SMTP client.

    ``name`` is the verified host name, ``unknown`` when there is none; ``name_code`` says how the
    verification ended: ``2`` verified, ``4`` could not look, ``5`` there is none.  ``reverse_name``
    and ``reverse_name_code`` are the PTR name alone (Postfix's reverse_client_name).
    ``local_uid`` is set for the session of a local user (sendmail), whose name is ``login``.
    """

    address: str
    port: int = 0
    name: str = "unknown"
    name_code: int = 5
    reverse_name: str = "unknown"
    reverse_name_code: int = 5
    server_address: str = ""
    server_port: int = 25
    trusted: bool = False  # in $mynetworks
    local_uid: int | None = None
    login: str = ""

    @property
    def named_address(self) -> str:
        """Return ``name[address]``, the way log lines and Received name a client."""
        return f"{self.name}[{self.address}]"
