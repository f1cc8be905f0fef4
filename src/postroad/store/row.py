"""Rows of the table ``message``, and lists of keys, on their way to and from the database."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from postroad.model.message import Message
from postroad.store.envelope import unpack


def message_of(row: Sequence[Any]) -> Message:
    """Return the message of key, due, owner, held, expired, envelope.  DamagedEnvelope if it cannot be."""
    key, due, owner, held, expired, envelope = row
    message = unpack(key, envelope)
    message.due, message.owner, message.held = due, owner, bool(held)
    if expired:
        message.attributes["expired"] = "yes"
    return message


def listed(keys: Iterable[int]) -> str:
    """Return keys as the JSON list that the statements take."""
    return json.dumps(list(keys))
