"""Message identifiers of our own making (RFC 5322 3.6.4)."""

from __future__ import annotations


def message_id(queue_id: str, hostname: str) -> str:
    """Return ``<QUEUEID@hostname>``: a queue id never comes again, so neither does this."""
    return f"<{queue_id}@{hostname}>"
