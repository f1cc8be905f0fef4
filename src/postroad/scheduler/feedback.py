"""The concurrency window of one destination (SCHEDULER_README, "Concurrency scheduling").

Each success widens the window by the positive feedback, each failure of the site narrows it by the
negative one.  When failed deliveries add up to ``cohort_limit`` whole windows the destination is
dead, until ``minimal_backoff_time`` is over.
"""

from __future__ import annotations

import math
from collections.abc import Callable

Feedback = Callable[[float], float]


def parse_feedback(text: str) -> Feedback:
    """Return the function of the window that a feedback value names; ValueError if it names none."""
    number, slash, law = text.replace(" ", "").partition("/")
    try:
        value = float(number)
    except ValueError:
        raise ValueError(
            f"bad feedback {text!r}: expected a number, 1/concurrency or 1/sqrt_concurrency"
        ) from None
    if not 0 <= value <= 1:
        raise ValueError(f"bad feedback {text!r}: not between 0 and 1")
    if not slash:
        return lambda _window: value
    if law == "concurrency":
        return lambda window: value / max(window, 1)
    if law == "sqrt_concurrency":
        return lambda window: value / math.sqrt(max(window, 1))
    raise ValueError(f"bad feedback {text!r}: expected 1/concurrency or 1/sqrt_concurrency")


class Law:
    """What one transport's windows obey; shared by all its destinations."""

    __slots__ = ("cohort_limit", "initial", "limit", "negative", "positive")

    def __init__(
        self, limit: int, initial: int, positive: Feedback, negative: Feedback, cohort_limit: int
    ) -> None:
        self.limit = limit  # 0: none
        self.initial = min(initial, limit) if limit else initial
        self.positive = positive
        self.negative = negative
        self.cohort_limit = cohort_limit


class Window:
    """How many deliveries one destination may have at one time; 0 when it is dead."""

    __slots__ = ("_cohorts", "_failure", "_law", "_success", "size")

    def __init__(self, law: Law) -> None:
        self._law = law
        self.size = law.initial
        self._success = 0.0
        self._failure = 0.0
        self._cohorts = 0.0

    def success(self, busy: int) -> None:
        """A delivery found the site in order; ``busy`` are under way, this one included."""
        law = self._law
        self._cohorts = 0.0
        if (law.limit and self.size >= law.limit) or self.size >= busy + law.initial:
            return
        gain = law.positive(self.size)
        self._success += gain
        while self._success + gain / 2 >= 1 and gain > 0:
            self.size += 1
            self._success -= 1
            self._failure = 0.0
        if law.limit and self.size > law.limit:
            self.size = law.limit

    def failure(self) -> bool:
        """The site as a whole failed.  True when that makes it dead."""
        law = self._law
        if self.size <= 0:
            return True
        self._cohorts += 1 / self.size
        # Three thirds of a cohort are one, whatever floating point says.
        if law.cohort_limit and self._cohorts >= law.cohort_limit - 1e-9:
            self.size = 0
            return True
        loss = law.negative(self.size)
        self._failure -= loss
        while self._failure - loss / 2 < 0 and loss > 0:
            self.size -= 1
            self._success = 0.0
            self._failure += 1
        self.size = max(self.size, 1)
        return False

    def revive(self) -> None:
        """Give a dead destination its first window again."""
        self.size = self._law.initial
        self._success = self._failure = self._cohorts = 0.0

    def obey(self, law: Law) -> None:
        """Take over new limits, after a reload."""
        self._law = law
        if law.limit and self.size > law.limit:
            self.size = law.limit
