"""Whether clients under test are offered TLS."""

from __future__ import annotations

from postroad.base.params import Settings
from postroad.listener import params as p


def tls_level(settings: Settings) -> str:
    """Return none, may or encrypt: what postscreen's settings say in one way or another."""
    level = settings[p.TLS_LEVEL]
    if level:
        return level if level in ("none", "may") else "encrypt"
    if settings[p.ENFORCE_TLS]:
        return "encrypt"
    return "may" if settings[p.USE_TLS] else "none"
