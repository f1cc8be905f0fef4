"""What the restrictions of one service need: looked up and compiled once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

from postroad.base.errors import LookupUnavailable
from postroad.base.log import Log
from postroad.base.params import Settings
from postroad.model.ports import Resolver, Router, Verifier
from postroad.model.reply import Reply
from postroad.policy.recorder import Recorder
from postroad.policy.verdict import Check
from postroad.tables.context import TableContext


class Recipients(Protocol):
    """Knows which addresses of our domains exist."""

    def passes(self, address: str) -> bool:
        """Return whether ``refuse`` would let a recipient pass, when that is known without asking."""
        ...

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


class Lists(Protocol):
    """Compiles restriction lists that turn up while the server runs."""

    def from_table(self, text: str, default: str) -> tuple[Check, ...]:
        """Return the checks that a value of an access table names; ``default`` as in ``Taker``."""
        ...


class NoResolver:
    """Stands for a DNS that nobody can ask."""

    def _fail(self, name: str) -> Awaitable[Any]:
        raise LookupUnavailable(f"{name}: there is no resolver")

    mx = ptr = txt = _fail

    def addresses(self, name: str, family: int = 0) -> Awaitable[Any]:
        """Fail."""
        del family
        return self._fail(name)

    def query(self, name: str, kind: str) -> Awaitable[Any]:
        """Fail."""
        del kind
        return self._fail(name)


class Services:
    """Constructor arguments of the policy, in one hand for its restrictions.

    ``own_address`` says whether an IP address is one of this machine's.  ``hosts`` gives the addresses
    of a name that the system knows without the DNS.  ``pause`` waits some seconds.  ``verifier`` sends
    probes, None where nothing can; ``verifies`` says that a restriction asks it.  With a ``recorder`` a
    session is only imagined: nothing that is remembered may change.  ``lists`` is set by the compiler.
    ``shared`` has what restrictions share, by a name of their own.
    """

    __slots__ = (
        "hosts", "lists", "log", "networks", "own_address", "pause", "recipients", "recorder", "resolver",
        "router", "settings", "shared", "tables", "verifier", "verifies",
    )  # fmt: skip

    def __init__(
        self,
        settings: Settings,
        *,
        tables: TableContext,
        networks: Networks,
        router: Router,
        recipients: Recipients,
        own_address: Callable[[str], bool],
        log: Log,
        resolver: Resolver | None = None,
        hosts: Callable[[str], Sequence[str]] = lambda _name: (),
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
        verifier: Verifier | None = None,
        recorder: Recorder | None = None,
    ) -> None:
        self.settings = settings
        self.tables = tables
        self.networks = networks
        self.router = router
        self.recipients = recipients
        self.own_address = own_address
        self.log = log
        self.resolver: Resolver = NoResolver() if resolver is None else resolver
        self.hosts = hosts
        self.pause = pause
        self.verifier = verifier
        self.verifies = False
        self.recorder = recorder
        self.shared: dict[str, Any] = {}
        self.lists: Lists
