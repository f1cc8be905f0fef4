"""What the log has of a session: whose mail it is, and how often each command was accepted."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from postroad.model.session import Session
from postroad.proto.machine import Verb

_NAMES = [verb.name.lower() for verb in Verb if verb is not Verb.END]


def counts_text(accepted: Sequence[int], total: Sequence[int]) -> str:
    """Return `` ehlo=1 mail=1/2 commands=2/3``; both sequences are indexed by ``Verb``."""
    return _text(tuple(accepted), tuple(total))


@lru_cache(256)  # most sessions are like others
def _text(accepted: tuple[int, ...], total: tuple[int, ...]) -> str:
    parts = [""]
    good = asked = 0
    for verb, name in enumerate(_NAMES):
        if total[verb]:
            parts.append(_share(name, accepted[verb], total[verb]))
            good += accepted[verb]
            asked += total[verb]
    parts.append(_share("commands", good, asked) if asked else "commands=0/0")
    return " ".join(parts)


def _share(name: str, good: int, total: int) -> str:
    return f"{name}={good}" if good == total else f"{name}={good}/{total}"


def client_text(session: Session) -> str:
    """Return what stands behind ``client=``: who logged in, and what XFORWARD said."""
    forwarded = session.transaction.forwarded
    values = (
        ("sasl_method", session.sasl_method),
        ("sasl_username", session.sasl_username),
        ("sasl_sender", session.sasl_sender),
        ("orig_queue_id", forwarded.ident if forwarded is not None else ""),
        ("orig_client", forwarded.origin if forwarded is not None and forwarded.about_client else ""),
    )
    return "".join(f", {name}={value}" for name, value in values if value)
