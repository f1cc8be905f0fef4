"""What was asked to decide about a session, and what was answered: for people, and kept as JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any


class Outcome(Enum):
    """What one restriction made of its question."""

    GOES_ON = "goes on"
    PERMITS = "permits"
    REFUSES = "refuses"
    PUTS_OFF = "puts off"  # a later yes becomes this 4xx
    DOUBTS = "doubts"  # a later 5xx becomes this 4xx
    WARNS = "warns"  # would have refused, but for warn_if_reject
    FAILS = "could not look"


@dataclass(frozen=True, slots=True)
class Lookup:
    """One question to a table or to the DNS.  ``answer`` None: not there; ``error``: could not look.

    ``source`` is ``type:name`` of a table, or ``DNS`` with the record's type.
    """

    source: str
    key: str
    answer: str | None
    error: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One restriction that was asked; ``place`` is its number in its list, from 1.

    ``restriction`` stands as in main.cf; ``reason`` has in words what it looked at; ``reply`` is what
    it would have the client hear.  ``inside`` are those of a class or of a table's value.
    """

    list: str
    place: int
    restriction: str
    outcome: Outcome
    reason: str = ""
    reply: str = ""
    lookups: tuple[Lookup, ...] = ()
    inside: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True)
class Trail:
    """Which restriction decided: the lists and restrictions from the outermost to the one that spoke.

    ``table``, ``key`` and ``value`` are of the look-up that it obeyed, if it was one.
    """

    path: tuple[tuple[str, int, str], ...]
    table: str = ""
    key: str = ""
    value: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True)
class Said:
    """One command of a session (or CONNECT), its reply, and how that came about.

    ``log`` are the lines that the mail log would have.  ``decided`` says which restriction refused, or
    put off what was then not refused; ``behind`` as in Refusal.
    """

    command: str
    code: int
    reply: str
    steps: tuple[Step, ...] = ()
    lookups: tuple[Lookup, ...] = ()
    log: tuple[str, ...] = ()
    decided: Trail | None = None
    behind: Trail | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """Where mail for one address goes; ``error`` when that could not be found out."""

    address: str
    transport: str = ""
    nexthop: str = ""
    address_class: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True)
class Destination:
    """What becomes of a recipient: the addresses that it stands for, each with its way."""

    recipient: str
    targets: tuple[Target, ...] = ()
    lookups: tuple[Lookup, ...] = ()
    error: str = ""


@dataclass(frozen=True, slots=True)
class Explanation:
    """A session as it would be.

    ``notes`` are what the client does not hear: what happens to the mail, what could not be tried.
    """

    service: str
    client: str
    trusted: bool | None
    said: tuple[Said, ...]
    destinations: tuple[Destination, ...] = ()
    lookups: tuple[Lookup, ...] = ()  # of the client's name
    notes: tuple[str, ...] = ()

    @property
    def status(self) -> int:
        """Return 0 for accepted, 1 for refused for good, 75 for not now."""
        codes = [each.code for each in self.said]
        if any(code >= 500 or not code for code in codes):
            return 1
        failed = any(each.error or any(t.error for t in each.targets) for each in self.destinations)
        return 75 if failed or any(code >= 400 for code in codes) else 0


@dataclass(frozen=True, slots=True)
class Refusal:
    """A refusal of a real session; ``time`` is seconds of the epoch.

    ``trail`` is None where no restriction decided: a command that cannot be read, no room.  ``behind``
    is that of the restriction whose 4xx was said in the place of another's answer.
    """

    time: float
    queue_id: str
    service: str
    command: str
    client_address: str
    client_name: str
    helo: str
    sender: str | None
    recipient: str
    login: str
    reply: str
    trail: Trail | None = None
    behind: Trail | None = None


def plain(value: Any) -> Any:
    """Return one of these values as JSON has it."""
    return _plain(asdict(value))


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    return value
