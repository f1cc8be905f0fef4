"""Postfix's retry law, as functions of time (qmgr(8), ``minimal_backoff_time`` and others)."""

from __future__ import annotations

from postroad.base.params import Settings
from postroad.model.params import MAXIMAL_BACKOFF_TIME, MINIMAL_BACKOFF_TIME


def back_off(age: float, settings: Settings) -> float:
    """Return the seconds until the next attempt of a message that is ``age`` seconds old.

    The wait grows with the message's age, so it about doubles with each attempt, between
    minimal_backoff_time and maximal_backoff_time.
    """
    return max(min(age, settings[MAXIMAL_BACKOFF_TIME]), settings[MINIMAL_BACKOFF_TIME])
