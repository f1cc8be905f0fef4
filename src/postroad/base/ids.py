"""Queue ids: 15 upper-case hexadecimal digits, unique in a queue, in order of time.

An id is the microsecond of its making times 64 plus the shard's number modulo 64.  It fits a
signed 64-bit integer, and the store uses that integer as the message's key.
"""

from __future__ import annotations

from postroad.base.clock import Clock

_SHARDS = 64
_DIGITS = frozenset("0123456789abcdefABCDEF")


class QueueIds:
    """Makes the queue ids of one shard; never the same twice, even when the clock stands or goes back."""

    __slots__ = ("_clock", "_last", "_shard")

    def __init__(self, clock: Clock, shard: int = 0, last: int = 0) -> None:
        self._clock = clock
        self._shard = shard % _SHARDS
        self._last = last // _SHARDS

    def next_key(self) -> int:
        """Return a new key, greater than every one before."""
        self._last = max(int(self._clock.now() * 1_000_000), self._last + 1)
        return self._last * _SHARDS + self._shard


def id_of(key: int) -> str:
    """Return the queue id of a key."""
    return f"{key:015X}"


def key_of(queue_id: str) -> int:
    """Return the key of a queue id; ValueError when it is not one."""
    if not 1 <= len(queue_id) <= 15 or not set(queue_id) <= _DIGITS:
        raise ValueError(f"not a queue id: {queue_id!r}")
    return int(queue_id, 16)


def shard_of(key: int) -> int:
    """Return the number (modulo 64) of the shard whose worker made the key."""
    return key % _SHARDS
