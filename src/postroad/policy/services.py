"""What the restrictions of one service need: looked up and compiled once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from postroad.base.log import Log
from postroad.base.params import Settings
from postroad.model.ports import Router
from postroad.model.reply import Reply


class Recipients(Protocol):
    """Knows which addresses of our domains exist."""

    async def refuse(self, address: str, *, sender: bool = False) -> Reply | None:
        """Return the refusal of an address that is not listed; None when it is, or is not ours to say."""
        ...


class Networks(Protocol):
    """A match list of clients; ``matches_now`` may be used where ``now`` is true."""

    now: bool

    async def matches(self, address: str, name: str = "") -> bool:
        """Return whether the client is in the list; TableUnavailable when it could not look."""
        ...

    def matches_now(self, address: str, name: str = "") -> bool:
        """Do the same without a coroutine."""
        ...


class Services:
    """Constructor arguments of the policy, in one hand for its restrictions.

    ``own_address`` says whether an IP address is one of this machine's.
    """

    __slots__ = ("log", "networks", "own_address", "recipients", "router", "settings")

    def __init__(
        self,
        settings: Settings,
        *,
        networks: Networks,
        router: Router,
        recipients: Recipients,
        own_address: Callable[[str], bool],
        log: Log,
    ) -> None:
        self.settings = settings
        self.networks = networks
        self.router = router
        self.recipients = recipients
        self.own_address = own_address
        self.log = log
