"""What the tests of the whole server share: a place, a configuration, fakes for one worker's core."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from peers.harness import a_place
from postroad.app.core import Core
from postroad.base.clock import SystemClock
from postroad.base.ids import QueueIds
from postroad.base.log import ListSink, Log
from postroad.base.wheel import Wheel
from postroad.net.counts import SharedCounts, make_table
from postroad.store.sqlite import SqliteStore


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that every user may enter."""
    with a_place() as path:
        yield path


@pytest.fixture
async def core(tmp_path: Path):
    """What stays of one worker of two, without processes."""
    loop = asyncio.get_running_loop()
    clock = SystemClock()
    sink = ListSink()
    log = Log(sink)
    fd = make_table(2)
    store = SqliteStore(tmp_path / "shard-0", clock=clock, log=log)
    yield Core(
        loop=loop,
        clock=clock,
        log=log,
        wheel=Wheel(loop),
        store=store,
        ids=QueueIds(clock, 0, 0),
        counts=SharedCounts(fd, 0, 2),
        workers=2,
    )
    os.close(fd)
    await store.close()
