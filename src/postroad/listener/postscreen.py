"""A postscreen service: what its clients share (postscreen(8))."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from postroad.base.clock import Clock
from postroad.base.errors import TableUnavailable
from postroad.base.log import Log
from postroad.base.params import Settings
from postroad.base.wheel import Wheel
from postroad.listener import params as p
from postroad.listener.access_list import AccessLists
from postroad.listener.blocklists import Blocklists
from postroad.listener.commands import Commands
from postroad.listener.crowd import Counts, Crowd, Taken
from postroad.listener.kept import Kept
from postroad.listener.rules import Rules, Times, options_of
from postroad.listener.screening import Screening
from postroad.listener.told import Foot, Told
from postroad.listener.waits import Waits
from postroad.model import params as model
from postroad.model.reply import Reply
from postroad.net.resolver import CachingResolver
from postroad.net.tls.server import ServerTls
from postroad.proto.dnsbl import site_of
from postroad.proto.screening import Test
from postroad.tables.context import TableContext
from postroad.tables.matchlist import AddressList


class Target(Protocol):
    """The smtpd service that clients go to."""

    @property
    def waiting(self) -> int:
        """Return how many clients wait for a session."""
        ...

    def protocol(self) -> asyncio.Protocol:
        """Return the protocol of a connection."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What a service has from its process.  ``taken`` counts clients of other processes too."""

    log: Log
    clock: Clock
    wheel: Wheel
    loop: asyncio.AbstractEventLoop
    tables: TableContext
    resolver: CachingResolver
    counts: Counts
    taken: Taken | None = None


class Postscreen:
    """Makes the protocols of one service and knows its clients.

    ``target`` gets those who pass.  ``strained`` are the settings of stress=yes.  ``footer`` puts the
    operator's text behind a refusal.  ValueError for settings that cannot be used.
    """

    def __init__(
        self,
        settings: Settings,
        means: Means,
        target: Target,
        *,
        strained: Settings | None = None,
        tls: ServerTls | None = None,
        tls_loglevel: int = 0,
        footer: Foot | None = None,
    ) -> None:
        tables, log = means.tables, means.log.named(settings[model.SYSLOG_NAME])
        self.target = target
        self.target_name = settings[p.SMTPD_SERVICE]
        self.log = log
        self.wheel = means.wheel
        self.loop = means.loop
        self.tls = tls if tls is not None and tls.ready else None
        self.tls_loglevel = tls_loglevel
        self.proxy_timeout = float(settings[p.PROXY_TIMEOUT]) if settings[p.PROXY_PROTOCOL] else 0.0
        self.stopping = False
        self._clock = means.clock
        self._retired: Callable[[], None] | None = None
        self._screenings: set[Screening] = set()
        self._waits = Waits(means.loop)  # for the greeting
        self.access = AccessLists(settings, tables, log)
        interfaces = settings[p.ALLOWLIST_INTERFACES]
        self._interfaces = AddressList(interfaces, tables)
        self.commands = Commands(settings, tables, log)
        self.told = Told(settings, tables, log, footer)
        self.blocklists = _blocklists(settings, means.resolver, log)
        self.calm = Times(settings)
        self.strained = Times(strained) if strained is not None else self.calm
        self.rules = Rules(settings, lists=bool(self.blocklists))
        self.options = options_of(settings, self.commands, tls=self.tls is not None)
        self.crowd = Crowd(settings, means.counts, means.taken, target, log)
        self.kept = Kept(settings, self.rules.terms, log, self.now)

    def protocol(self) -> asyncio.Protocol:
        """Return the protocol of a new connection."""
        return Screening(self)

    # -- for the clients

    def now(self) -> int:
        """Return the time in whole seconds since the epoch."""
        return int(self._clock.now())

    def until(self, test: Test) -> int:
        """Return until when a test counts that is passed now; NONE: one that is failed and forgiven."""
        return self.now() + self.rules.life(test)

    def enter(self, screening: Screening) -> None:
        """Note a connection."""
        self._screenings.add(screening)
        self.wheel.join(screening)

    def leave(self, screening: Screening) -> None:
        """Forget a connection; nothing happens the second time."""
        if screening not in self._screenings:
            return
        self._screenings.discard(screening)
        self.wheel.leave(screening)
        self.crowd.leave(screening)
        if self._retired is not None and not self._screenings:
            then, self._retired = self._retired, None
            then()

    def wait(self, then: Callable[[], None]) -> None:
        """Call back when the time before the greeting is over."""
        self._waits.add(self._times.greet_wait, then)

    @property
    def command_time(self) -> float:
        """Return how many seconds a client has for a command that it begins now."""
        return self._times.command_time

    @property
    def _times(self) -> Times:
        return self.strained if self.crowd.strain else self.calm

    async def may_pass_at(self, own_address: str) -> bool:
        """Whether a client can pass that calls this address of ours; not, while that is not known."""
        try:
            return await self._interfaces.matches(own_address)
        except TableUnavailable as error:
            self.log.warning("postscreen", f"{p.ALLOWLIST_INTERFACES.name}: {error}")
            return False

    # -- the end

    @property
    def sessions(self) -> int:
        """Return how many clients are under test."""
        return len(self._screenings)

    def drain(self) -> None:
        """End every test; who is tested has no mail with us yet."""
        self.stopping = True
        for screening in tuple(self._screenings):
            screening.finish(Reply(421, "4.3.2", "Service currently unavailable"))

    def retire(self, then: Callable[[], None]) -> None:
        """No client comes any more: those under test go on; ``then`` is called after the last one."""
        if self._screenings:
            self._retired = then
        else:
            then()


def _blocklists(settings: Settings, resolver: CachingResolver, log: Log) -> Blocklists:
    return Blocklists(
        [site_of(text) for text in settings[p.DNSBL_SITES]],
        resolver,
        log,
        timeout=float(settings[p.DNSBL_TIMEOUT]),
        shortest=settings[p.DNSBL_MIN_TTL],
        longest=settings[p.DNSBL_MAX_TTL],
    )
