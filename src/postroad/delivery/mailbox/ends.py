"""Agents that deliver nothing: error(8), retry(8) and discard(8).  The next hop is the reason."""

from __future__ import annotations

import re
from collections.abc import Callable

from postroad.model.job import Job
from postroad.model.outcome import Outcome

# RFC 3463 2: class, subject and detail
_STATUS = re.compile(r"([245]\.[0-9]{1,3}\.[0-9]{1,3})(?:\s+|$)")


def split_status(text: str, default: str) -> tuple[str, str]:
    """Return the enhanced status code that a text begins with, or the default, and the rest.

    A code of another class than the default's is not taken over: the default stands.
    """
    found = _STATUS.match(text)
    if found is None:
        return default, text
    status = found[1] if found[1][0] == default[0] else default
    return status, text[found.end() :]


class _End:
    """Gives every recipient the same outcome."""

    default = ""
    unsaid = ""
    gathers = 1

    def deliver(self, job: Job, report: Callable[[Job], None]) -> None:
        """End the job with the reason that the next hop gives."""
        status, text = split_status(job.nexthop, self.default)
        job.all(Outcome(status, text or self.unsaid))
        report(job)

    async def close(self) -> None:
        """Nothing is open."""


class ErrorAgent(_End):
    """error(8): every recipient is bounced."""

    default = "5.0.0"
    unsaid = "mail is not accepted"


class RetryAgent(_End):
    """retry(8): every recipient is deferred."""

    default = "4.0.0"
    unsaid = "mail is deferred"


class DiscardAgent(_End):
    """discard(8): every recipient counts as delivered, and nothing is kept."""

    default = "2.0.0"
    unsaid = "discarded"
