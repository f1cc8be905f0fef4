"""Whether a batch waits a moment for company before it is written.

A batch costs about as much as many changes: a thread woken twice, system calls, a sync.  Under load
two milliseconds bring several more changes, which leaves the processor to the rest of the work.  But
where few clients send one message after the other, they wait with the batch, and nothing comes.  How
many sessions are open does not tell the two apart; what does is how much gets done.  So both ways are
tried for a while, and the better one is kept for a longer while.
"""

from __future__ import annotations

GATHER = 0.002  # seconds
ENOUGH = 16  # changes that need no company
SPAN = 0.1  # seconds of one trial
BUSY = 40  # changes in a span; with fewer there is nothing to save
ENOUGH_DONE = 0.95  # times what is done alone: as much with less work is better, too
KEPT = 20  # spans that batches wait before one alone, to compare with
REST = 8  # spans that they don't before waiting is tried again


class Pace:
    """Counts what is done in each span of time.  Times are seconds of a steady clock."""

    __slots__ = ("_alone", "_begun", "_done", "_left", "_trial", "waits")

    def __init__(self) -> None:
        self.waits = False
        self._begun = 0.0  # the span, 0 before the first batch
        self._done = 0
        self._left = -1  # spans until the next trial; -1 before a load begins
        self._trial = False
        self._alone = 0.0  # changes a second without waiting

    def delay(self, size: int, now: float) -> float:
        """Return for how many seconds a batch of so many changes is to wait."""
        if now >= self._begun + SPAN:
            self._decide(now)
        return GATHER if self.waits and size < ENOUGH else 0.0

    def wrote(self, size: int) -> None:
        """Count the changes of a batch."""
        self._done += size

    def _decide(self, now: float) -> None:
        """Choose the way of the next span."""
        rate = self._done / (now - self._begun)
        self._begun, self._done = now, 0
        if rate * SPAN < BUSY:
            self.waits = self._trial = False
            self._left = -1
        elif self._left < 0:  # a load begins: most often it is of many clients
            self.waits = True
            self._left = REST
        elif self._trial:  # the second of a pair of spans: alone, then waiting
            self._trial = False
            self.waits = rate > self._alone * ENOUGH_DONE
            self._left = KEPT if self.waits else REST
        elif self._left:
            self._left -= 1
            if not self._left:
                self.waits = False  # a span alone, to compare with
        else:
            self._alone = rate
            self._trial = self.waits = True
