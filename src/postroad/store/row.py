"""Rows of the table ``message``, and lists of keys, on their way to and from the database."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from postroad.model.message import Message
from postroad.store.envelope import unpack

EXPIRED, REQUEUED = 1, 2


def message_of(row: Sequence[Any]) -> Message:
    """Return the message of key, due, owner, held, marks, envelope.  DamagedEnvelope if it cannot be.

    The marks are EXPIRED and REQUEUED.  What was requeued goes to the content filter that mail of local
    users has when it is tried (postsuper(1)), whatever it had before: its attribute is there, and empty.
    """
    key, due, owner, held, marks, envelope = row
    message = unpack(key, envelope)
    message.due, message.owner, message.held = due, owner, bool(held)
    if marks:
        if marks & EXPIRED:
            message.attributes["expired"] = "yes"
        if marks & REQUEUED:
            message.attributes["content_filter"] = ""
    return message


def listed(keys: Iterable[int]) -> str:
    """Return keys as the JSON list that the statements take."""
    return json.dumps(list(keys))
