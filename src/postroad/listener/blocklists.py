"""What the lists of postscreen_dnsbl_sites say of a client (postscreen(8), dnsblog(8))."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from postroad.base.errors import LookupUnavailable
from postroad.base.log import Log
from postroad.base.tasks import spawn
from postroad.listener import screen_events as events
from postroad.net.answer import Answer
from postroad.net.resolver import CachingResolver
from postroad.proto.dnsbl import Site, query_name


class Score:
    """What was heard of one client so far.  ``ttl`` is in seconds: how long the answers hold."""

    __slots__ = ("domain", "pending", "rank", "ttl", "weight")

    def __init__(self, pending: int, ttl: int) -> None:
        self.rank = 0
        #: The list that speaks most against the client.
        self.domain = ""
        self.weight = 0
        self.ttl = ttl
        self.pending = pending

    def add(self, sites: Sequence[Site], addresses: Sequence[str]) -> None:
        """Count what one domain answered: each of its entries once."""
        for site in sites:
            if any(site.counts(address) for address in addresses):
                self.rank += site.weight
                if not self.domain or site.weight > self.weight:
                    self.domain, self.weight = site.domain, site.weight


class Blocklists:
    """Asks the lists, all at once.  Times are in seconds; a list that does not answer has no say."""

    def __init__(
        self,
        sites: Sequence[Site],
        resolver: CachingResolver,
        log: Log,
        *,
        timeout: float,
        shortest: int,
        longest: int,
    ) -> None:
        self._domains: dict[str, list[Site]] = {}
        for site in sites:
            self._domains.setdefault(site.domain.lower(), []).append(site)
        self._resolver = resolver
        self._log = log
        self._timeout = timeout
        self._shortest = shortest
        self._longest = longest

    def __bool__(self) -> bool:
        return bool(self._domains)

    def ask(self, address: str, done: Callable[[], None]) -> Score:
        """Ask about a client; ``done`` is called when the last answer is in, never before this returns."""
        score = Score(len(self._domains), self._longest)
        for sites in self._domains.values():
            spawn(self._look(address, sites, score, done), name="dnsblog")
        return score

    async def _look(
        self, address: str, sites: Sequence[Site], score: Score, done: Callable[[], None]
    ) -> None:
        try:
            domain = sites[0].domain
            async with asyncio.timeout(self._timeout):
                answer: Answer = await self._resolver.query(query_name(address, domain), "A")
            score.ttl = min(score.ttl, max(answer.ttl, self._shortest))
            for found in answer.records:
                self._log.emit(events.BLOCKED, address, domain, found)
            score.add(sites, answer.records)
        except (TimeoutError, LookupUnavailable) as error:
            # Nobody is refused, and nobody is let off the tests, because of a list that is silent.
            self._log.warning("dnsblog", f"{domain}: {str(error) or 'timeout'} for {address}")
        finally:
            score.pending -= 1
            if not score.pending:
                done()
