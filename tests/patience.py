"""Waiting for what a test expects: for as long as a slow machine needs, and no longer than it takes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

#: Seconds after which what is expected will not come any more, for every wait of a test that must not fail
#: on a machine that is slow.
LIMIT = 30.0
_EVERY = 0.005


async def until(
    holds: Callable[[], object], seconds: float = LIMIT, explain: Callable[[], object] = lambda: ""
) -> None:
    """Let the loop run until the condition holds; fail after so many seconds, with an explanation."""
    end = time.monotonic() + seconds
    while True:
        late = time.monotonic() > end  # before the look: one comes after the end, however long the loop stood
        if holds():
            return
        if late:
            raise AssertionError(f"not within {seconds} s. {explain()}")
        await asyncio.sleep(_EVERY)


async def turns(count: int = 20) -> None:
    """Let the loop turn so often: what was ready to happen, and what that leads to, has happened then."""
    for _ in range(count):
        await asyncio.sleep(0)
