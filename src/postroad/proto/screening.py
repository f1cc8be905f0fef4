"""What postscreen(8) tests of a client, which tests it has passed before, and what is kept of that."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntFlag
from typing import Final


class Test(IntFlag):
    """The tests; a set of them is their sum."""

    __test__ = False  # it is none of pytest's

    NONE = 0
    PREGREET = 1
    DNSBL = 2
    PIPELINING = 4
    NON_SMTP = 8
    BARE_NEWLINE = 16
    ACCESS = 32  # postscreen_access_list, postscreen_allowlist_interfaces; it can only be failed
    EARLY = PREGREET | DNSBL
    LATE = PIPELINING | NON_SMTP | BARE_NEWLINE


class Action(Enum):
    """What is done with a client that fails a test."""

    IGNORE = "ignore"
    ENFORCE = "enforce"
    DROP = "drop"


#: In the order of a Record.
ORDER: Final = (Test.PREGREET, Test.DNSBL, Test.PIPELINING, Test.NON_SMTP, Test.BARE_NEWLINE)
#: Until when each test is passed, in seconds since the epoch; or one of the two below.
Record = tuple[int, int, int, int, int]
#: The test was never passed, or was not in use when the client came.
NEW, UNUSED = 0, 1
_PLACES: Final = {test: place for place, test in enumerate(ORDER)}


@dataclass(frozen=True, slots=True)
class Terms:
    """Which tests are in use, and for how many seconds each is passed; the DNS lists say their own."""

    enabled: Test
    lives: Record

    @property
    def shortest(self) -> int:
        """Return for how long a failure is forgiven that is ignored."""
        used = [life for test, life in zip(ORDER, self.lives, strict=True) if test & self.enabled]
        return min(used, default=1)


class Progress:
    """How far one client is.  ``known`` is what is kept of it, None for nothing; ``now`` in seconds."""

    __slots__ = ("_until", "failed", "fresh", "passed", "skipped", "todo")

    def __init__(self, terms: Terms, known: Record | None, now: int) -> None:
        self._until = list(known or (NEW,) * len(ORDER))
        #: Whether there is a test that the client never passed.
        self.fresh = NEW in self._until
        todo = Test.NONE
        for test, until in zip(ORDER, self._until, strict=True):
            if test & terms.enabled and now > until:
                todo |= test
        if todo & Test.LATE:  # who has to come again for one of them may as well do them all
            todo |= terms.enabled & Test.LATE
        self.todo = todo
        self.passed = Test.NONE
        self.failed = Test.NONE
        #: Tests that have seen enough of this client, one way or the other.
        self.skipped = Test.NONE

    def succeed(self, test: Test, until: int) -> None:
        """Note that a test is passed, and until when that counts."""
        self.passed |= test
        self._until[_PLACES[test]] = until

    def fail(self, test: Test) -> None:
        """Note that a test is failed, which undoes what was passed of it in this session."""
        self.failed |= test
        self.passed &= ~test
        self.skipped |= test

    def forgive(self, test: Test, until: int = NEW) -> None:
        """Let the client go on as if nothing had been; with a time, as if it had passed until then."""
        self.failed &= ~test
        if until:
            self.succeed(test, until)

    def excuse(self, until: int) -> None:
        """Let the client off every test but the DNS lists, until the given time at least."""
        self.passed |= self.todo & ~Test.DNSBL
        self.skipped |= Test.PREGREET | Test.LATE
        for test, place in _PLACES.items():
            if test is not Test.DNSBL:
                self._until[place] = max(self._until[place], until)

    @property
    def pending(self) -> Test:
        """Return the tests that the client has still to pass."""
        return self.todo & ~self.passed

    @property
    def complete(self) -> bool:
        """Whether the client has passed something, and nothing is left."""
        return not self.failed and bool(self.passed) and self.passed & self.todo == self.todo

    def record(self, terms: Terms) -> Record | None:
        """Return what is to be kept; None where nothing was passed, or something failed."""
        if self.failed or not self.passed:
            return None
        kept = [
            # A test that comes into use later does not make the client a new one.
            until if test & terms.enabled else max(until, UNUSED)
            for test, until in zip(ORDER, self._until, strict=True)
        ]
        return kept[0], kept[1], kept[2], kept[3], kept[4]
