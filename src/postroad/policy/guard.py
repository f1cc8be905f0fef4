"""The guard against being an open relay: who may send where is decided somewhere, always."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from postroad.base.params import Settings
from postroad.policy import params as p
from postroad.policy.evaluation import DEEPEST
from postroad.policy.items import Classes, Sort, read_list
from postroad.policy.names import GUARDS

FATAL: Final = (
    "in parameter smtpd_relay_restrictions or smtpd_recipient_restrictions, specify at least one "
    "working instance of: reject_unauth_destination, defer_unauth_destination, reject, defer, "
    "defer_if_permit or check_relay_domains"
)


def is_guarded(words: Iterable[str], classes: Classes, depth: int = 0) -> bool:
    """Return whether the list has a restriction that keeps strangers from relaying."""
    for item in read_list(words, classes):
        if item.warn:
            continue
        if item.name == "permit" or depth > DEEPEST:
            return False
        if item.name in GUARDS and item.sort is Sort.WORKS:
            return True
        if item.sort is Sort.CLASS and is_guarded(classes[item.name], classes, depth + 1):
            return True
    return False


def has_guard(settings: Settings, classes: Classes) -> bool:
    """Return whether one of the two lists that decide on relaying has a guard."""
    relay, recipient = settings[p.RELAY_RESTRICTIONS], settings[p.RECIPIENT_RESTRICTIONS]
    return is_guarded(relay, classes) or is_guarded(recipient, classes)


def guarded_relay_list(settings: Settings, classes: Classes) -> tuple[str, ...]:
    """Return smtpd_relay_restrictions, or where nothing decides on relaying, today's default.

    It is empty by default below compatibility_level 1, which was no open relay as long as
    smtpd_recipient_restrictions had a default of its own.  ValueError, with Postfix's words, when
    it has members and none is a guard.
    """
    relay = settings[p.RELAY_RESTRICTIONS]
    if has_guard(settings, classes):
        return relay
    if relay:
        raise ValueError(FATAL)
    return tuple(p.RELAY_DEFAULT.split(", "))
