"""What hooks of yours are written with; see ``postroad.model.hooks``.  These names stay."""

from __future__ import annotations

from postroad.model.hooks import (
    Accept,
    ClientFacts,
    Continue,
    Defer,
    Facts,
    Hook,
    HookVerdict,
    LoginFacts,
    Permit,
    Reject,
    Stage,
)
from postroad.model.tls import PeerCertificate, TlsFacts

__all__ = [
    "Accept",
    "ClientFacts",
    "Continue",
    "Defer",
    "Facts",
    "Hook",
    "HookVerdict",
    "LoginFacts",
    "PeerCertificate",
    "Permit",
    "Reject",
    "Stage",
    "TlsFacts",
]
