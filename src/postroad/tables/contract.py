"""What every table must do; any implementation can be handed to ``check_table``."""

from __future__ import annotations

import asyncio

from postroad.model.ports import Table

#: Keys that mean something to a shell, a database, a pattern, a file system or a line protocol.
HOSTILE_KEYS = (
    "",
    "'; DROP TABLE mail; --",
    '" OR "1"="1',
    "*)(uid=*",
    "%",
    "_",
    ".*",
    "../../etc/passwd",
    "$(reboot)",
    "a\nb",
    "a\r\nQUIT",
    "a\0b",
    "\udcff\udcfe",
    "ключ@пример",
    "x" * 100_000,
)


async def check_table(table: Table, known: str, value: str, unknown: str) -> None:
    """Raise AssertionError with a sentence unless the table keeps the contract of ``ports.Table``.

    The table answers ``value`` for the key ``known``, and does not know the key ``unknown``.
    """
    _demand(bool(table.name.partition(":")[2]), f"its name is type:name, not {table.name!r}")
    found = await table.lookup(known)
    _demand(found == value, f"{known!r} gives {value!r}, not {found!r}")
    found = await table.lookup(unknown)
    _demand(found is None, f"{unknown!r} gives None, not {found!r}")
    answers = await asyncio.gather(*(table.lookup(key) for key in (known, unknown, known)))
    _demand(answers == [value, None, value], f"look-ups at one time do not mix: {answers!r}")
    for key in HOSTILE_KEYS:
        found = await table.lookup(key)
        _demand(found is None, f"keys are data: {key[:40]!r} gives None, not {found!r}")
        found = await table.lookup(known + key + unknown)
        _demand(found is None, f"keys are data: {key[:40]!r} in a key gives None, not {found!r}")
    found = await table.lookup(known)
    _demand(found == value, f"{known!r} still gives {value!r} after that, not {found!r}")


def _demand(kept: bool, sentence: str) -> None:
    if not kept:
        raise AssertionError(sentence)
