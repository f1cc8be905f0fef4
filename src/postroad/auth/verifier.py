"""Passwords are hashed on a few threads, and only so many may wait for that."""

from __future__ import annotations

import asyncio
import hmac
import os
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from postroad.auth.accounts import AuthUnavailable
from postroad.auth.schemes import Stored, verify
from postroad.base.clock import Clock

T = TypeVar("T")
_KNOWN = 10_000
#: Seconds that a check may take, waiting for a thread included: PAM may hang.
LONGEST = 30.0


class Workshop:
    """Threads for what takes long.  The threads are made when they are needed first."""

    def __init__(self, threads: int, waiting: int) -> None:
        self._threads = threads
        self._most = threads + waiting
        self._pool: ThreadPoolExecutor | None = None
        self.busy = 0
        self._closed = False

    async def run(self, work: Callable[[], T]) -> T:
        """Do a piece of work on a thread.  AuthUnavailable when too much waits, or it takes too long."""
        if self._closed:
            raise AuthUnavailable("the service ends")
        if self.busy >= self._most:
            raise AuthUnavailable("too many passwords wait to be checked")
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._threads, "password")
        self.busy += 1
        future = asyncio.get_running_loop().run_in_executor(self._pool, work)
        # Counted until the thread is done with it, even if nobody waits any more.
        future.add_done_callback(self._done)
        done, _ = await asyncio.wait([future], timeout=LONGEST)
        if not done:
            raise AuthUnavailable("a password took too long to be checked")
        if future.cancelled():  # by ``close``
            raise AuthUnavailable("the service ends")
        return future.result()

    def _done(self, future: asyncio.Future[T]) -> None:
        self.busy -= 1
        if not future.cancelled():
            future.exception()

    def close(self) -> None:
        """Drop what waits; what runs ends by itself."""
        self._closed = True
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)


class Verifier:
    """Checks passwords against stored ones.

    A password that was right is known for a while under a key that only this process has.  The
    stored one is part of what is hashed, so that one that has changed is not known.
    """

    def __init__(self, workshop: Workshop, clock: Clock, seconds: float) -> None:
        self._workshop = workshop
        self._clock = clock
        self._seconds = seconds
        self._key = os.urandom(32)
        self._known: OrderedDict[bytes, float] = OrderedDict()
        self.made = 0  # hashes made, for tests: a wrong name costs what a wrong password costs

    async def check(self, username: str, password: str, stored: Stored | None, sample: Stored | None) -> bool:
        """Return whether the password is the user's; ``stored`` is None for a user who is not there.

        Then ``sample`` is hashed in its place, so that time does not tell who exists.  AuthUnavailable
        when it could not be checked.
        """
        if stored is None or stored.locked:
            if sample is not None and not sample.locked:
                await self._hash(sample, password, username, quiet=True)
            return False
        mark = self._mark(username, password, stored)
        if self._known.get(mark, -1.0) > self._clock.steady():
            return True
        right = await self._hash(stored, password, username)
        if right and self._seconds:
            self._known[mark] = self._clock.steady() + self._seconds
            if len(self._known) > _KNOWN:
                self._known.popitem(last=False)
        return right

    def _mark(self, username: str, password: str, stored: Stored) -> bytes:
        parts = (username, password, stored.scheme, stored.encoding, stored.text)
        text = "\0".join(parts).encode("utf-8", "surrogateescape")
        return hmac.digest(self._key, text, "sha256")

    async def _hash(self, stored: Stored, password: str, username: str, *, quiet: bool = False) -> bool:
        self.made += 1
        try:
            return await self._workshop.run(lambda: verify(stored, password.encode()))
        except (ValueError, OSError) as error:
            if quiet:
                return False
            raise AuthUnavailable(f"the password of {username} is stored as {error}") from None
