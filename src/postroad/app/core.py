"""What stays of a worker while settings come and go."""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import Callable
from dataclasses import dataclass, field

from postroad.app.keyring import Keyring
from postroad.base.clock import Clock
from postroad.base.ids import QueueIds
from postroad.base.log import Log
from postroad.base.wheel import Wheel
from postroad.delivery.mailbox.direct import Writers
from postroad.model.message import Message
from postroad.net.counts import SharedCounts
from postroad.scheduler.scheduler import Scheduler
from postroad.scheduler.transport import TransportLanes
from postroad.store.refusals import RefusalFile
from postroad.store.sqlite import SqliteStore


@dataclass(slots=True)
class Core:
    """What the stages of every set of settings share."""

    loop: asyncio.AbstractEventLoop
    clock: Clock
    log: Log
    wheel: Wheel
    store: SqliteStore
    ids: QueueIds
    counts: SharedCounts
    workers: int
    keyring: Keyring = field(default_factory=Keyring)
    helper: socket.socket | None = None
    scheduler: Scheduler | None = None
    transports: dict[str, TransportLanes] = field(default_factory=dict)
    writers: Writers | None = None
    refusals: RefusalFile | None = None
    flush_site: Callable[[str], bool] | None = None  # has mail for a site tried; False: too many wait
    rng: random.Random = field(default_factory=random.SystemRandom)

    def accepted(self, message: Message) -> None:
        """Hand a message that is on disk to the scheduler."""
        if self.scheduler is None:
            return
        try:
            self.scheduler.add(message)
        except Exception as error:  # noqa: BLE001 - it is on disk: the client's 250 must not wait for a defect
            self.log.error("qmgr", f"{message.id}: not scheduled, it will be at the next start: {error!r}")
