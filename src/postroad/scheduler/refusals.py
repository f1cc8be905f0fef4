"""Outcomes that no agent was asked for."""

from __future__ import annotations

from postroad.model.outcome import Outcome

SILENT = Outcome("4.3.0", "delivery agent did not report this recipient")


def unroutable(error: BaseException | None) -> Outcome:
    """Return the outcome of a recipient whose route could not be looked up."""
    return Outcome("4.3.0", f"address resolver failure: {error}" if error else "address resolver failure")


def suspended(outcome: Outcome) -> Outcome:
    """Return the outcome of mail for a destination that ``outcome`` has made dead."""
    text = outcome.text
    said = f"delivery temporarily suspended: {text}"
    status = outcome.status if outcome.status[0] == "4" else "4" + outcome.status[1:]
    return Outcome(status, said, "none", remote=outcome.remote, reply=outcome.reply)
