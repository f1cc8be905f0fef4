"""The DNS: one cache, one question at a time for each name, and a bound on how long it may take.

An empty answer means "not there"; LookupUnavailable means "could not look", with Postfix's words.
"""

from __future__ import annotations

import asyncio
import ipaddress
import random
from collections.abc import Generator, Sequence
from typing import Any, TypeAlias

from postroad.base.clock import Clock, SystemClock
from postroad.base.errors import LookupUnavailable
from postroad.base.params import Settings
from postroad.base.tasks import spawn
from postroad.net.answer import KINDS, Answer, BadAnswer, Elsewhere, wire_name
from postroad.net.cache import Cache
from postroad.net.exchange import Exchange
from postroad.net.hostname import ascii_name, plain_address
from postroad.net.params import RESOLVER_ADDRESSES, RESOLVER_CACHE_LIMIT
from postroad.net.servers import Servers

#: Seconds that one server gets in each round; every server is asked in each.
_ROUNDS = (2.0, 3.0)
#: Seconds for one question in all, CNAME chains included.
_TOTAL = 10.0
_CHAIN_LIMIT = 16
#: However long an answer says it holds: a mistake in a zone shall not outlive a working day's patience.
_LONGEST, _LONGEST_NEGATIVE = 3600.0, 900.0
#: RFC 9520 3.2: a failure is remembered for at least a second, so that a dead server is not flooded.
_FAILURE = 2.0
#: Bytes of TXT or TLSA records; a stranger who makes us ask shall not fill the memory with what he answers.
_LARGEST_KEPT = 8192


#: What became of a question.  A failure is kept as a value: nobody may be waiting for it any more.
Found: TypeAlias = Answer | LookupUnavailable


def failure_text(name: str, kind: str) -> str:
    """Return Postfix's words for a question that could not be answered."""
    return (
        f"Host or domain name not found. Name service error for name={name} type={kind}:"
        " Host not found, try again"
    )


class Question:
    """A question that was asked.  Awaiting it waits only while the answer is under way."""

    __slots__ = ("_found",)

    def __init__(self, found: Found | asyncio.Task[Found]) -> None:
        self._found = found

    def __await__(self) -> Generator[Any, Any, Answer]:
        found = self._found
        if isinstance(found, asyncio.Task):
            # A waiter that is cancelled must not take the answer from the others.
            found = yield from asyncio.shield(found).__await__()
        if isinstance(found, LookupUnavailable):
            raise LookupUnavailable(*found.args)
        return found


class CachingResolver:
    """Implements ``model.ports.Resolver``.

    ``rng`` makes query ids; in service it is a ``random.SystemRandom``, because a guessable id lets
    a stranger answer.
    """

    def __init__(
        self,
        servers: Servers,
        *,
        clock: Clock | None = None,
        rng: random.Random | None = None,
        limit: int = 10000,
    ) -> None:
        clock = clock or SystemClock()
        self._servers = servers
        self._cache: Cache[Found] = Cache(clock, limit)
        self._exchange = Exchange(rng or random.SystemRandom())
        self._asked: dict[tuple[str, str], asyncio.Task[Found]] = {}

    def query(self, name: str, kind: str) -> Question:
        """Ask for a name and a type such as "MX", now; await it for the Answer or LookupUnavailable."""
        return Question(self._begin(name, kind))

    async def mx(self, name: str) -> Sequence[tuple[int, str]]:
        """Return (preference, host) pairs as the DNS gave them; ``(0, "")`` alone is the null MX."""
        return (await self.query(name, "MX")).records

    async def addresses(self, name: str, family: int = 0) -> Sequence[str]:
        """Return addresses of a host; what one family has counts although the other could not be asked."""
        kinds = {4: ("A",), 6: ("AAAA",)}.get(family, ("A", "AAAA"))
        questions = [self.query(name, kind) for kind in kinds]  # asked at the same time
        found: list[str] = []
        failure: LookupUnavailable | None = None
        for question in questions:
            try:
                found += (await question).records
            except LookupUnavailable as error:
                failure = error
        if failure and not found:
            raise failure
        return found

    async def ptr(self, address: str) -> Sequence[str]:
        """Return the names of an address; ValueError if it is none."""
        pointer = ipaddress.ip_address(plain_address(address)).reverse_pointer
        return (await self.query(pointer, "PTR")).records

    async def txt(self, name: str) -> Sequence[bytes]:
        """Return TXT records, each with its strings joined."""
        return (await self.query(name, "TXT")).records

    def _begin(self, name: str, kind: str) -> Found | asyncio.Task[Found]:
        if kind not in KINDS:
            raise ValueError(f"unknown DNS record type {kind}")
        root = name == "." and kind == "NS"  # nothing else is asked of the root
        key = (name.rstrip(".").lower() if name.endswith(".") and not root else name.lower(), kind)
        known = self._cache.get(key)
        if known is not None:
            return known
        task = self._asked.get(key)
        if task is not None:
            return task
        ascii_form = name if root else ascii_name(key[0])
        if ascii_form is None or wire_name(ascii_form) is None:
            return Answer(name, kind, nxdomain=True)  # no zone can have it
        task = self._asked[key] = spawn(self._ask(key, ascii_form), name=f"dns {kind}")
        task.add_done_callback(lambda _: self._asked.pop(key, None))
        return task

    async def _ask(self, key: tuple[str, str], name: str) -> Found:
        try:
            async with asyncio.timeout(_TOTAL):
                answer = await self._follow(name, key[1])
        except (TimeoutError, LookupUnavailable):
            failure = LookupUnavailable(failure_text(*key))
            self._cache.put(key, failure, _FAILURE)
            return failure
        longest = _LONGEST if answer.records else _LONGEST_NEGATIVE
        if _small(answer):
            self._cache.put(key, answer, min(answer.ttl, longest))
        return answer

    async def _follow(self, name: str, kind: str) -> Answer:
        """Ask, and ask on where a server does not follow CNAMEs itself."""
        authentic = True
        for _ in range(_CHAIN_LIMIT):
            try:
                answer = await self._ask_servers(name, kind)
            except Elsewhere as next_one:
                authentic = False  # the link itself was not vouched for
                name = next_one.name
                continue
            return answer if authentic else Answer(answer.name, kind, answer.records, answer.ttl, nxdomain=answer.nxdomain)  # fmt: skip  # noqa: E501
        raise LookupUnavailable(f"Name server loop for {name}")

    async def _ask_servers(self, name: str, kind: str) -> Answer:
        servers = self._servers.now()
        for seconds in _ROUNDS:
            silent = False
            for server in servers:
                try:
                    return await self._exchange.ask(server, name, kind, seconds)
                except TimeoutError:
                    silent = True
                except (OSError, BadAnswer):
                    continue
            if not silent:
                break  # every server said no; asking again at once would hear the same
        raise LookupUnavailable(failure_text(name, kind))


def open_resolver(settings: Settings, clock: Clock | None = None) -> CachingResolver:
    """Make the resolver that the settings describe; ValueError for an address that cannot be read."""
    clock = clock or SystemClock()
    addresses = settings[RESOLVER_ADDRESSES]
    return CachingResolver(Servers(addresses, clock), clock=clock, limit=settings[RESOLVER_CACHE_LIMIT])


def _small(answer: Answer) -> bool:
    if answer.kind == "TLSA":
        return sum(len(record[3]) for record in answer.records) <= _LARGEST_KEPT
    return sum(len(record) for record in answer.records if isinstance(record, bytes)) <= _LARGEST_KEPT
