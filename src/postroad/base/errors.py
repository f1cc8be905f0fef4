"""What can go wrong, in words for the operator."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class PostroadError(Exception):
    """Root of the errors that Postroad raises on purpose; the message is for a person."""


class ConfigurationError(PostroadError):
    """The configuration cannot be used.  ``problems`` has every reason, not the first."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        super().__init__("\n".join(str(problem) for problem in problems))


class TableUnavailable(PostroadError):  # noqa: N818 - a state of the table, not a defect
    """A look-up could not be made.  The caller defers (451); it never takes this for "not found"."""


class StoreUnavailable(PostroadError):  # noqa: N818 - as above
    """The queue could not be written or read: the disk is full, for example.  The caller answers 45x."""


class LookupUnavailable(PostroadError):  # noqa: N818 - as above
    """The DNS could not be asked (time-out, SERVFAIL).  The caller defers."""


class Severity(Enum):
    """How a finding of the configuration counts."""

    ERROR = "error"  # the server does not start
    UNSUPPORTED = "not supported"  # Postfix knows it, Postroad does not obey it (yet)
    MEANINGLESS = "without meaning here"  # accepted; nothing for it to act on
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding: where it stands (``file:line``), what is wrong, what to do about it."""

    where: str
    message: str
    hint: str = ""
    severity: Severity = Severity.ERROR

    def __str__(self) -> str:
        text = f"{self.where}: {self.message}" if self.where else self.message
        return f"{text} ({self.hint})" if self.hint else text
