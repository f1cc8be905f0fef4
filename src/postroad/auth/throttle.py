"""Guessing passwords takes longer with each one, and then it is shut out for a while.

Failures are counted for a client's address (an IPv6 client's /64) and for a user's name.  A success
forgives the failures of that user from that address, and no others: with an account of one's own
nobody makes others' failures forgotten.  Where users have logged in before they are at home: others'
failures do not keep them out there.
"""

from __future__ import annotations

import ipaddress
from collections import Counter, OrderedDict
from dataclasses import dataclass

from postroad.base.clock import Clock

_MOST = 20_000  # addresses, names and pairs that are remembered, of each
#: A user's name is shut out for strange addresses only after so many times the failures of one address:
#: or anybody could shut out anybody.
_USER_FACTOR = 5


@dataclass(slots=True)
class _Count:
    failures: int = 0
    last: float = 0.0


class _Counts:
    """Counts by key; those that were not touched for the longest time go first."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.counts: OrderedDict[str, _Count] = OrderedDict()

    def get(self, key: str, now: float) -> int:
        count = self.counts.get(key)
        if count is None:
            return 0
        if count.last + self._seconds <= now:
            del self.counts[key]
            return 0
        return count.failures

    def add(self, key: str, now: float) -> int:
        failures = self.get(key, now)
        count = self.counts.setdefault(key, _Count())
        self.counts.move_to_end(key)
        count.failures, count.last = failures + 1, now
        if len(self.counts) > _MOST:
            self.counts.popitem(last=False)
        return count.failures

    def forgive(self, key: str, failures: int) -> None:
        count = self.counts.get(key)
        if count is not None:
            count.failures -= failures
            if count.failures <= 0:
                del self.counts[key]


class Throttle:
    """Says who has to wait, and who need not try.  ``limit`` 0 turns it off."""

    def __init__(self, clock: Clock, *, limit: int, seconds: float, longest: float) -> None:
        self._clock = clock
        self._limit = limit
        self.longest = longest
        self.addresses = _Counts(seconds)
        self.users = _Counts(seconds)
        self.pairs = _Counts(seconds)
        self._at_home: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._homes: Counter[str] = Counter()

    def refuses(self, address: str, username: str = "") -> bool:
        """Return whether a client is refused, whatever it says.  Such attempts are not counted.

        Without a name (it is not known yet) nobody is refused where users have been before: one of them
        with an old password in a telephone would shut out the whole office.
        """
        if not self._limit:
            return False
        now, site = self._clock.steady(), site_of(address)
        full = self.addresses.get(site, now) >= self._limit
        if not username:
            return full and site not in self._homes
        if (site, username) in self._at_home:
            return self.pairs.get(f"{site} {username}", now) >= self._limit
        return full or self.users.get(username, now) >= self._limit * _USER_FACTOR

    def failed(self, address: str, username: str = "") -> float:
        """Count a failure; return how many seconds the reply has to wait."""
        if not self._limit:
            return 0.0
        now, site = self._clock.steady(), site_of(address)
        failures = self.addresses.add(site, now)
        if username:
            self.pairs.add(f"{site} {username}", now)
            failures = max(failures, self.users.add(username, now))
        return float(min(self.longest, 2.0 ** min(failures - 1, 30)))

    def succeeded(self, address: str, username: str) -> None:
        """Forgive this user's failures from this address, and know the two together from now on."""
        site = site_of(address)
        pair = f"{site} {username}"
        failures = self.pairs.get(pair, self._clock.steady())
        if failures:
            self.pairs.forgive(pair, failures)
            self.addresses.forgive(site, failures)
            self.users.forgive(username, failures)
        self._settle(site, username)

    def _settle(self, site: str, username: str) -> None:
        home = (site, username)
        if home not in self._at_home:
            self._at_home[home] = None
            self._homes[site] += 1
            if len(self._at_home) > _MOST:
                (left, _name), _ = self._at_home.popitem(last=False)
                self._homes[left] -= 1
                if not self._homes[left]:
                    del self._homes[left]
        self._at_home.move_to_end(home)


def site_of(address: str) -> str:
    """Return what a client has for itself: an IPv4 address, or an IPv6 network of 64 bits."""
    if ":" not in address:
        return address
    try:
        parsed = ipaddress.IPv6Address(address.partition("%")[0])
    except ValueError:
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return f"{int(parsed) >> 64:x}/64"
