"""Whether addresses would be taken: what is known of them, and probes for what is not (verify(8))."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

from postroad.base import tasks
from postroad.base.clock import Clock
from postroad.base.errors import LookupUnavailable, StoreUnavailable
from postroad.base.log import Log
from postroad.base.params import Settings
from postroad.model.params import MYORIGIN
from postroad.model.ports import Prober
from postroad.model.verification import IN_PROGRESS, Deliverability, Verification
from postroad.policy import asking_params as p
from postroad.store.verify_cache import Lifetimes, VerifyCache, known, open_verify_cache

_TOO_MANY: Final = Verification(Deliverability.UNKNOWN, "too many address verification requests")
_DIGITS: Final = "0123456789bcdfghjklmnpqrstvwxyz"  # no words by accident


class AddressVerifier:
    """Implements ``model.ports.Verifier``; one for each set of settings."""

    def __init__(self, settings: Settings, *, prober: Prober, log: Log, clock: Clock, cache: VerifyCache | None = None) -> None:  # fmt: skip  # noqa: E501
        self._prober = prober
        self._log = log
        self._now = clock.now
        self._cache = cache_of(settings) if cache is None else cache
        self._lives = lifetimes_of(settings)
        self._sender = ProbeSender(settings)
        self._limit = settings[p.VERIFY_PENDING_LIMIT]
        self._polls = settings[p.VERIFY_POLL_COUNT]
        self._pause: float = settings[p.VERIFY_POLL_DELAY]
        self._running: dict[str, asyncio.Future[Verification]] = {}

    def is_probe_sender(self, address: str) -> bool:
        """See the port."""
        return self._sender.matches(address, self._now())

    async def verify(self, address: str) -> Verification:
        """See the port."""
        if self.is_probe_sender(address):
            return Verification(Deliverability.GOOD, "the sender of probes")
        found = await self._look(address, probes=True)
        if found.state is not Deliverability.PENDING or self._polls < 2:
            return found
        running = self._running.get(address)
        return await tasks.spawn(self._wait(running) if running is not None else self._poll(address))

    async def _look(self, address: str, *, probes: bool) -> Verification:
        room = len(self._running) < self._limit
        try:
            found, probe = await self._cache.look(
                address, self._lives, self._now(), may_probe=probes and room
            )
        except StoreUnavailable as error:
            raise LookupUnavailable(str(error)) from error
        if probe and address not in self._running:
            self._running[address] = tasks.spawn(self._probe(address), "address probe")
        if found is None:
            return _TOO_MANY if probes else IN_PROGRESS
        return found

    async def _probe(self, address: str) -> Verification:
        try:
            found = await self._prober.probe(address, self._sender.now(self._now()))
        except Exception as error:  # noqa: BLE001 - a defect of ours is no reason to refuse an address
            self._log.error("verify", f"{address}: {error!r}")
            found = Verification(Deliverability.UNKNOWN, "Address verification failed")
        try:
            await self._cache.note(address, found, self._lives, self._now())
        except StoreUnavailable as error:
            self._log.warning("verify", f"{address}: the result cannot be kept: {error}")
        finally:
            self._running.pop(address, None)
        return found

    async def _wait(self, running: asyncio.Future[Verification]) -> Verification:
        """Wait for a probe of this worker, no longer than Postfix would look for its result."""
        await asyncio.wait([running], timeout=(self._polls - 1) * self._pause)
        return running.result() if running.done() and not running.cancelled() else IN_PROGRESS

    async def _poll(self, address: str) -> Verification:
        """Look for the result of another worker's probe."""
        found = IN_PROGRESS
        for _ in range(self._polls - 1):
            await asyncio.sleep(self._pause)
            found = await self._look(address, probes=False)
            if found.state is not Deliverability.PENDING:
                break
        return found


class ProbeSender:
    """The sender of probes, which may change with time so that harvesters have nothing of it."""

    def __init__(self, settings: Settings) -> None:
        address = settings[p.VERIFY_SENDER]
        self._address = "" if address in ("", "<>") else address
        if self._address and "@" not in self._address:
            self._address += f"@{settings[MYORIGIN]}"
        self._life = settings[p.VERIFY_SENDER_TTL]

    def now(self, moment: float) -> str:
        """Return the sender of a probe that is sent now, "" for the null sender."""
        return self._at(int(moment) // self._life if self._life else 0)

    def matches(self, address: str, moment: float) -> bool:
        """Return whether an address is the sender of this time, the time before, or the next one."""
        if not self._address or not address:
            return False
        if not self._life:
            return address.lower() == self._address.lower()
        turn = int(moment) // self._life
        return any(address.lower() == self._at(turn + each).lower() for each in (-1, 0, 1))

    def _at(self, turn: int) -> str:
        if not self._life or not self._address:
            return self._address
        local, _, domain = self._address.rpartition("@")
        figures = ""
        while turn:
            turn, digit = divmod(turn, len(_DIGITS))
            figures += _DIGITS[digit]
        return f"{local}{figures}@{domain}"


def cache_of(settings: Settings) -> VerifyCache:
    """Return the cache that address_verify_map names."""
    path = path_of(settings)
    return VerifyCache(None) if path is None else open_verify_cache(path)


def path_of(settings: Settings) -> Path | None:
    """Return the file of the cache that address_verify_map names, None for one in memory."""
    name = settings[p.VERIFY_MAP].removeprefix("proxy:")
    path = name.partition(":")[2] if ":" in name else name
    # Postfix's own file may be there already, in a format that is not ours.
    return Path(f"{path}.sqlite") if path else None


def lifetimes_of(settings: Settings) -> Lifetimes:
    """Return how long what is known counts."""
    return Lifetimes(
        settings[p.VERIFY_POSITIVE_EXPIRE],
        settings[p.VERIFY_POSITIVE_REFRESH],
        settings[p.VERIFY_NEGATIVE_EXPIRE],
        settings[p.VERIFY_NEGATIVE_REFRESH],
        settings[p.VERIFY_CLEANUP_INTERVAL],
        settings[p.VERIFY_NEGATIVE_CACHE],
    )


class CachedVerifier:
    """Implements ``model.ports.Verifier`` by what is known already; sends no probe, notes nothing."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._path = path_of(settings)
        self._lives = lifetimes_of(settings)
        self._sender = ProbeSender(settings)
        self._now = clock.now

    def is_probe_sender(self, address: str) -> bool:
        """See the port."""
        return self._sender.matches(address, self._now())

    async def verify(self, address: str) -> Verification:
        """See the port; what is not known is IN_PROGRESS, for a probe would be sent now."""
        if self._path is None:
            return IN_PROGRESS
        try:
            found = known(self._path, address, self._lives, self._now())
        except StoreUnavailable as error:
            raise LookupUnavailable(str(error)) from error
        return IN_PROGRESS if found is None else found
