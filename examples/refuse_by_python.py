"""Decisions in Python for Postroad's restriction lists.

Put this file into the configuration directory and name a function of it in main.cf::

    smtpd_recipient_restrictions = reject_unauth_destination,
        check_python refuse_by_python:quota, check_python refuse_by_python:invoices

A function gets frozen facts and returns a verdict. ``async def`` runs in the server's loop and must
not block it; a plain ``def`` runs in a thread and may. Time limit: ``python_hook_timeout``. An exception,
a verdict of another type or none in time is answered 451: nothing passes by accident.
"""

from __future__ import annotations

import time

from postroad.hooks import Continue, Defer, Facts, Permit, Reject

PER_HOUR = 100
_sent: dict[str, list[float]] = {}


async def quota(facts: Facts) -> Continue | Defer:
    """At most PER_HOUR recipients an hour for each login; a list for each worker process."""
    if facts.stage != "RCPT" or facts.login is None:
        return Continue()
    now = time.monotonic()
    times = [each for each in _sent.get(facts.login.username, []) if each > now - 3600]
    _sent[facts.login.username] = times
    if len(times) >= PER_HOUR:
        return Defer("You have sent a lot in this hour", status="4.7.1")
    times.append(now)
    return Continue()


def invoices(facts: Facts) -> Continue | Permit | Reject | str:
    """Invoices come encrypted, or from our bank; anything that asks to be marked is marked."""
    if facts.client.name.endswith(".bank.example"):
        return Permit()
    if facts.recipient.startswith("invoice@") and facts.tls is None:
        return Reject("Send invoices over TLS", code=550)
    if facts.sender == "":
        return "PREPEND X-Bounce: yes"
    return Continue()
