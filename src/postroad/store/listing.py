"""Messages of a shard as lists want them: those of the database and those of the journal as one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import apsw

from postroad.model.message import Message
from postroad.store.database import rows
from postroad.store.envelope import DamagedEnvelope
from postroad.store.ledger import Pending
from postroad.store.row import listed, message_of
from postroad.store.sql import QUEUE

Row = tuple[Any, ...]
KINDS = ("active", "waiting", "held", "all")


def find(db: apsw.Connection, pending: Mapping[int, Pending], keys: Iterable[int]) -> list[Message]:
    """Return messages by key, in order of arrival, without contents; damaged ones are left out."""
    wanted = set(keys)
    found = {key: _row_of(key, pending[key]) for key in wanted if key in pending}
    found.update((row[0], row) for row in rows(db, QUEUE["find"], {"keys": listed(wanted)}))
    return _readable(found[key] for key in sorted(found))


def page(db: apsw.Connection, pending: Mapping[int, Pending], which: str, after: int, most: int) -> list[Message]:  # fmt: skip  # noqa: E501
    """Return at most ``most`` messages with greater keys than ``after``; an empty list means that was all.

    ``which`` is "active" (leased, not held), "waiting" (neither), "held" or "all".
    """
    if which not in KINDS:
        raise ValueError(f"no such kind of messages: {which}")
    while True:
        stored = rows(db, QUEUE[f"page_{which}"], {"after": after, "most": most})
        later = ((key, message) for key, message in pending.items() if key > after)
        found = {key: _row_of(key, message) for key, message in later if _is(message, which)}
        if len(stored) == most:  # what comes behind them belongs to the next page
            last = stored[-1][0]
            found = {key: row for key, row in found.items() if key <= last}
        found.update((row[0], row) for row in stored)
        chosen = [found[key] for key in sorted(found)[:most]]
        messages = _readable(chosen)
        if messages or not chosen:
            return messages
        after = chosen[-1][0]


def _is(message: Pending, which: str) -> bool:
    if which == "all":
        return True
    if message.held:
        return which == "held"
    return which == ("active" if message.leased else "waiting")


def _row_of(key: int, pending: Pending) -> Row:
    """Return the row that a message of the journal would have."""
    owner = "journal" if pending.leased else ""
    return key, pending.due, owner, pending.held, 0, pending.envelope


def _readable(found: Iterable[Row]) -> list[Message]:
    messages = []
    for row in found:
        try:
            messages.append(message_of(row))
        except DamagedEnvelope:
            continue  # the server moves it aside when its time comes
    return messages
