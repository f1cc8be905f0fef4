"""Taking over a shard that nobody serves any more."""

from __future__ import annotations

import contextlib
import os
import shutil

from postroad.store.database import rows, transaction
from postroad.store.shard import Shard
from postroad.store.sql import QUEUE

_MOST = 100  # rows taken over in one transaction


def adopt(target: Shard, source: Shard) -> int:
    """Move every message of ``source`` to ``target``.  Return how many.

    Crash-safe: they are here, synced, before they leave there; what was here already when a
    crash came between is not taken twice.  Nothing may be claimed before this has ended.
    """
    source.settle_down(None)
    moved, after = 0, -1
    here, there = target.backlog, source.backlog
    while found := rows(there.db, QUEUE["rows_after"], {"after": after, "most": _MOST}):
        keys = [row[0] for row in found]
        files = [key for key in keys if key in source.bodies.keys]
        for key in files:
            _take_file(target, source, key)
        if files:
            target.bodies.sync(files)
        with transaction(here.db):
            here.db.executemany(QUEUE["adopt"], [(row[0], row[1], "", *row[2:6]) for row in found])
            contents = [(row[0], row[6], row[7]) for row in found if row[6] is not None]
            here.db.executemany(QUEUE["store_body"], contents)
        there.remove(keys)
        moved += len(keys)
        after = keys[-1]
    return moved


def _take_file(target: Shard, source: Shard, key: int) -> None:
    path = target.bodies.path(key)
    try:
        os.link(source.bodies.path(key), path)
    except OSError:  # another file system, or a crash came between: what is there may be half a copy
        with contextlib.suppress(shutil.SameFileError):
            shutil.copyfile(source.bodies.path(key), path)
    target.bodies.keys.add(key)
