"""The steps of an authentication exchange (RFC 4422), whoever decides."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto


class SaslState(Enum):
    """How a step ended."""

    MORE = auto()  # the client is asked once more
    DONE = auto()  # it is who it says it is
    FAILED = auto()  # it is not, or the mechanism was broken
    UNAVAILABLE = auto()  # nobody could look: not the client's fault


@dataclass(frozen=True, slots=True)
class SaslStep:
    """What follows from a response of the client.

    ``challenge`` goes with MORE, raw bytes (base64 is SMTP's affair).  ``username`` goes with DONE, and
    with FAILED as far as the client has named one.  ``reason`` is for the log, with FAILED and
    UNAVAILABLE; it never has a secret in it.
    """

    state: SaslState
    challenge: bytes = b""
    username: str = ""
    reason: str = ""
