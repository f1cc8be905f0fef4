"""What is kept of clients that have passed tests (postscreen_cache_map)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from postroad.base import tasks
from postroad.base.errors import StoreUnavailable
from postroad.base.log import Log
from postroad.base.params import Settings
from postroad.listener import params as p
from postroad.listener import screen_events as events
from postroad.proto.screening import ORDER, Record, Terms
from postroad.store.screen_cache import Cleaning, ScreenCache, open_screen_cache


class Kept:
    """The records of clients.  ``terms`` say which tests there are, ``now`` the time in whole seconds."""

    __slots__ = ("_cache", "_cleaning", "_log", "_name", "_now")

    def __init__(self, settings: Settings, terms: Terms, log: Log, now: Callable[[], int]) -> None:
        name = settings[p.CACHE_MAP]
        path = name.removeprefix("proxy:").partition(":")[2] or name
        # Postfix's own file may be there already, in a format that is not ours.
        self._cache: ScreenCache | None = open_screen_cache(Path(f"{path}.sqlite")) if path else None
        self._name = name
        used = [bool(test & terms.enabled) for test in ORDER]
        self._cleaning = Cleaning(settings[p.CACHE_CLEANUP], settings[p.CACHE_RETENTION], used)
        self._log = log
        self._now = now

    async def find(self, address: str) -> Record | None:
        """Return what is kept of a client.  What cannot be looked up is not known: it is tested again."""
        if self._cache is None:
            return None
        try:
            found, cleaned = await self._cache.find(address, self._cleaning, self._now())
        except StoreUnavailable as error:
            self._log.warning("postscreen", f"{p.CACHE_MAP.name}: {error}")
            return None
        if cleaned is not None:
            self._log.emit(events.CACHE, self._name, cleaned.retained, cleaned.dropped)
        return found

    def note(self, address: str, record: Record) -> None:
        """Keep what a client has passed."""
        if self._cache is not None:
            tasks.start(self._cache.note(address, record, self._now()), self._noted)

    def _noted(self, _none: None, error: BaseException | None) -> None:
        if error is not None:
            self._log.warning("postscreen", f"{p.CACHE_MAP.name}: {error}")
