"""ETRN (RFC 1985): a client asks for the mail that waits for a site of its own.

A worker answers its clients at once, and tells the supervisor what they want; the supervisor has every
worker look through its queue, for all that was asked for meanwhile.  So there is one look at a time,
and a rest between two, however many ask.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any

from postroad.admin.queue import request_of
from postroad.base.clock import Clock
from postroad.base.errors import TableUnavailable
from postroad.base.log import Log
from postroad.base.params import Settings
from postroad.base.tasks import spawn
from postroad.model.reply import Reply
from postroad.store.params import FAST_FLUSH_DOMAINS
from postroad.tables.context import TableContext
from postroad.tables.matchlist import DomainList, parents_of

_MOST = 1000  # sites that wait for their look; with more, clients are told to ask again
_REST = 1.0  # seconds between two looks, at least; and as long as the look took
_QUEUED = Reply(250, "", "Queuing started")
_UNABLE = Reply(458, "", "Unable to queue messages")


class Etrn:
    """Answers ETRN for one service, whose policy has nothing against it.

    ``flush`` takes a site, or refuses it (False) when too many wait.
    """

    def __init__(self, settings: Settings, tables: TableContext, log: Log, flush: Callable[[str], bool]) -> None:  # fmt: skip  # noqa: E501
        members = settings[FAST_FLUSH_DOMAINS]
        parents = parents_of(settings, FAST_FLUSH_DOMAINS.name)
        self._domains = DomainList(members, tables, parents=parents)
        self._log = log
        self._flush = flush

    async def __call__(self, site: str) -> Reply:
        """Return the reply; what is asked for is under way, or it is not for this client to ask."""
        try:
            eligible = await self._domains.matches(site)
        except TableUnavailable as error:
            self._log.warning("smtpd", f"{FAST_FLUSH_DOMAINS.name}: {error}")
            return _UNABLE
        if not eligible:
            return Reply(459, "", f"<{site}>: service unavailable")
        return _QUEUED if self._flush(site.lower()) else _UNABLE


async def nothing(_site: str) -> Reply:
    """Answer ETRN where mail is handed in by local users ("sendmail -bs")."""
    return _UNABLE


class Wishes:
    """A worker's sites that the supervisor is to be told of; ``tell`` does that."""

    def __init__(self, tell: Callable[[list[str]], None]) -> None:
        self._tell = tell
        self._sites: set[str] = set()
        self._asked = False  # the supervisor knows of some, and has not said that they are done

    def add(self, site: str) -> bool:
        """Wish for a site; False when too many wait."""
        if len(self._sites) >= _MOST and site not in self._sites:
            return False
        self._sites.add(site)
        self._go_on()
        return True

    def done(self) -> None:
        """What the supervisor was told of has been looked for."""
        self._asked = False
        self._go_on()

    def _go_on(self) -> None:
        if self._asked or not self._sites:
            return
        self._asked = True
        sites, self._sites = self._sites, set()
        self._tell(sorted(sites))


class SiteFlusher:
    """The supervisor's end: has every worker look, and tells those who asked.

    ``ask`` puts one request to all workers, ``tell`` says to a worker, by its number, that it was done.
    """

    def __init__(
        self,
        ask: Callable[[dict[str, Any]], Awaitable[Sequence[Mapping[str, Any]]]],
        tell: Callable[[int], None],
        log: Log,
        clock: Clock,
    ) -> None:
        self._ask = ask
        self._tell = tell
        self._log = log
        self._clock = clock
        self._sites: set[str] = set()
        self._askers: set[int] = set()
        self._running = False

    def want(self, number: int, sites: Iterable[str]) -> None:
        """Have mail for these sites tried, as a worker's clients want it."""
        self._sites.update(sites)
        self._askers.add(number)
        if not self._running:
            self._running = True
            spawn(self._run(), "flush")

    async def _run(self) -> None:
        try:
            while self._sites:
                sites, self._sites = self._sites, set()
                askers, self._askers = self._askers, set()
                begun = self._clock.steady()
                await self._look(sites)
                for number in askers:
                    self._tell(number)
                await asyncio.sleep(max(_REST, self._clock.steady() - begun))
        finally:
            self._running = False

    async def _look(self, sites: set[str]) -> None:
        try:
            answers = await self._ask(request_of("flush", None) | {"sites": sorted(sites)})
        except Exception as error:  # noqa: BLE001 - the mail is tried when its time comes; others go on asking
            self._log.error("flush", f"cannot flush: {error!r}")
            return
        for answer in answers:
            if "error" in answer:
                self._log.warning("flush", f"cannot flush: {answer['error']}")
