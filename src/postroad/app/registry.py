"""Every declared parameter, gathered from the rooms."""

from __future__ import annotations

from functools import cache
from importlib import import_module

from postroad.base.params import Registry

#: The rooms that have a ``params.py``.  These modules import nothing but ``base``, so that a command
#: knows every parameter without loading the server.
ROOMS = (
    "model",
    "net",
    "net.tls",
    "tables",
    "store",
    "auth",
    "filters",
    "listener",
    "smtpd",
    "policy",
    "intake",
    "scheduler",
    "routing",
    "delivery.smtp",
    "delivery.mailbox",
    "outcome",
    "admin",
    "app",
)


@cache
def registry() -> Registry:
    """Return the parameters of all rooms."""
    return Registry(import_module(f"postroad.{room}.params").params for room in ROOMS)
