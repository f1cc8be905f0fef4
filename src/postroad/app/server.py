"""The life of a worker: opens its queue, builds the stages, listens, obeys the supervisor, stops."""

from __future__ import annotations

import asyncio
import os
import socket
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from postroad.admin.queue import perform
from postroad.app.build import build
from postroad.app.certificates import Certificates
from postroad.app.contentfilter import pickup_settings
from postroad.app.core import Core
from postroad.app.flushing import Wishes
from postroad.app.keyring import Keyring
from postroad.app.registry import registry
from postroad.app.stages import Stages
from postroad.base import tasks
from postroad.base.clock import SystemClock
from postroad.base.config import Config, find_facts, load_texts
from postroad.base.errors import ConfigurationError, PostroadError, Severity, StoreUnavailable
from postroad.base.ids import QueueIds, key_of
from postroad.base.log import Log, sink_for
from postroad.base.wheel import Wheel
from postroad.delivery.mailbox.remote import HelperWriter
from postroad.model.params import (
    DATA_DIRECTORY,
    MAILLOG_FILE,
    MYHOSTNAME,
    QUEUE_DIRECTORY,
    SYSLOG_FACILITY,
    SYSLOG_NAME,
)
from postroad.net.counts import SharedCounts
from postroad.scheduler.scheduler import Scheduler
from postroad.store.lock import ShardBusy
from postroad.store.params import QUEUE_JOURNAL_SIZE, REFUSAL_RECORD_SIZE
from postroad.store.reader import shards
from postroad.store.refusals import RefusalFile, file_of
from postroad.store.sqlite import SqliteStore

FLUSH_DELAY = 0.25  # seconds that a log line waits at most
#: Requests after which something may be due at once.
_WAKING = frozenset({"release", "requeue", "flush", "expire"})
#: Requests after which a message is not to be delivered, even if its turn was near.
_WITHDRAWING = frozenset({"hold", "delete"})
_ENDING_TIME = 15.0  # seconds that a worker of a server that was killed may take to let its shard go


def shard_directory(queue_directory: str, number: int | str) -> Path:
    """Return where a worker's part of the queue is."""
    return Path(queue_directory) / f"shard-{number}"


class Server:
    """One worker's server, made from the supervisor's first message.

    ``tell`` says something to the supervisor that has no answer.
    """

    def __init__(self, message: dict[str, Any], fds: list[int], tell: Callable[[dict[str, Any]], None]) -> None:  # fmt: skip  # noqa: E501
        self._number = int(message["worker"])
        self._count = int(message["workers"])
        self._config = _configuration(message)
        settings = self._config.settings
        listeners = len(message["listeners"])
        self._sockets = _sockets(message, fds[:listeners])
        self._submit = socket.socket(fileno=fds[listeners])
        counts = SharedCounts(fds[listeners + 1], self._number, self._count)
        os.close(fds[listeners + 1])  # it is mapped
        self._helper = socket.socket(fileno=fds[listeners + 2]) if message["helper"] else None
        self._keyring = Keyring(_certificates(message, fds))
        self._counts = counts
        sink = sink_for(settings[MAILLOG_FILE], settings[SYSLOG_FACILITY], settings[MYHOSTNAME])
        self.log = Log(sink, settings[SYSLOG_NAME])
        tasks.on_failure(lambda name, error: self.log.error("master", f"task {name}: {error!r}"))
        asyncio.get_running_loop().set_exception_handler(self._unexpected)
        self._core: Core
        self._stages: Stages | None = None
        self._former: list[Stages] = []  # of settings before; some of their sessions may go on
        self._flusher: asyncio.TimerHandle | None = None
        self._stopping = False
        self.wishes = Wishes(lambda sites: tell({"re": "flush", "sites": sites}))

    async def _make_core(self) -> Core:
        loop = asyncio.get_running_loop()
        clock = SystemClock()
        settings = self._config.settings
        directory = shard_directory(settings[QUEUE_DIRECTORY], self._number)
        store = await _open_store(directory, clock, self.log, settings[QUEUE_JOURNAL_SIZE])
        return Core(
            loop=loop,
            clock=clock,
            log=self.log,
            wheel=Wheel(loop),
            store=store,
            ids=QueueIds(clock, self._number, store.newest),
            counts=self._counts,
            workers=self._count,
            keyring=self._keyring,
            flush_site=self.wishes.add,
            helper=self._helper,
            refusals=RefusalFile(
                file_of(settings[DATA_DIRECTORY], self._number), settings[REFUSAL_RECORD_SIZE]
            ),
        )

    async def start(self) -> None:
        """Open the queue, build the stages, take over what former workers left, listen, deliver."""
        core = self._core = await self._make_core()
        stages = self._stages = build(self._config, core)
        core.scheduler = Scheduler(
            store=core.store,
            router=stages.router,
            transports=stages.transports,
            outcomes=stages.outcomes,
            settings=pickup_settings(self._config),
            log=self.log,
            clock=core.clock,
        )
        if self._number == 0:
            await self._adopt()
        await stages.listen(self._sockets, self._submit)
        core.scheduler.start()
        self._flush()

    async def _adopt(self) -> None:
        """Take over the shards that no worker of this server owns."""
        queue_directory = self._config.settings[QUEUE_DIRECTORY]
        ours = {shard_directory(queue_directory, number).name for number in range(self._count)}
        for path in shards(Path(queue_directory)):
            if path.name not in ours:
                try:
                    await self._core.store.adopt(path)
                except StoreUnavailable as error:
                    # Its mail stays where it is; the others must not wait for that.
                    self.log.warning("qmgr", f"{path}: cannot be taken over: {error}")

    def _unexpected(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Log what no code of ours caught, with its place: it is a defect, and mail must not stop for it."""
        error = context.get("exception")
        lines = traceback.format_exception(error) if error is not None else []
        self.log.error("master", f"unexpected: {context.get('message')}: {' | '.join(lines).strip()}")

    def _flush(self) -> None:
        self.log.sink.flush()
        if self._core.refusals is not None:
            self._core.refusals.flush()
        if not self._stopping:
            self._flusher = self._core.loop.call_later(FLUSH_DELAY, self._flush)

    def reopen_log(self) -> None:
        """Open the log file again, after a rotation."""
        try:
            self.log.sink.reopen()
        except OSError as error:
            self.log.warning("master", f"the log file cannot be opened again: {error}")

    async def take_helper(self, fd: int) -> None:
        """Use another mailbox helper from now on; the one before ends what it was asked for."""
        core, end = self._core, socket.socket(fileno=fd)
        if core.writers is not None:
            former = core.writers.take(HelperWriter(end, core.loop))
            if former is not None:
                await former.close()
            return
        if core.helper is not None:
            core.helper.close()
        core.helper = end

    def take_certificates(self, fd: int) -> None:
        """Use other certificates from now on; the supervisor has tried them."""
        for problem in self._keyring.replace(Certificates.unpack(fd)):
            self.log.warning("master", f"certificates: {problem}")

    # --- what the supervisor asks

    async def request(self, request: dict[str, Any], fds: list[int]) -> dict[str, Any]:
        """Do what is asked; the answer goes back to who asked."""
        verb = request["verb"]
        if verb == "reload":
            return await self._reload(request, fds)
        answer = await perform(self._core.store, request, self._core.clock.now())
        scheduler = self._core.scheduler
        if scheduler is not None and verb in _WITHDRAWING:
            scheduler.withdraw(map(key_of, answer.get("changed", ())))
        elif scheduler is not None and verb in _WAKING and ("sites" not in request or answer["changed"]):
            # a stranger's ETRN for a site without mail does not concern the others
            scheduler.flush()
        return answer

    async def _reload(self, message: dict[str, Any], fds: list[int]) -> dict[str, Any]:
        """Obey new settings; sessions that run go on under the old.  ConfigurationError changes nothing."""
        former = self._keyring.certificates
        certificates = _certificates(message, fds)
        sockets = _sockets(message, fds[: len(message["listeners"])])
        try:
            self._keyring.certificates = certificates
            config, stages = self._built(message)
        except Exception:
            self._keyring.certificates = former
            for _service, sock in sockets:
                sock.close()
            raise
        # Services of the former settings, too, whose clients may still begin with TLS.
        for problem in self._keyring.replace(certificates):
            self.log.warning("master", f"certificates: {problem}")
        old, self._stages, self._config = self._stages, stages, config
        scheduler = self._core.scheduler
        assert scheduler is not None
        assert old is not None
        scheduler.configure(stages.router, stages.transports, stages.outcomes, pickup_settings(config))
        await old.stop_listening()
        await stages.listen(sockets, self._submit)
        self._former = [each for each in (*self._former, old) if each.sessions]
        tasks.spawn(old.retire(), "retire")
        return {}

    def _built(self, message: dict[str, Any]) -> tuple[Config, Stages]:
        if self._stopping:
            raise PostroadError("the server stops")
        config = _configuration(message)
        return config, build(config, self._core)

    async def stop(self, seconds: float) -> None:
        """Stop accepting, finish what is under way, give the leases back; bounded by ``seconds``."""
        self._stopping = True
        stages, scheduler = self._stages, self._core.scheduler
        end = self._core.loop.time() + seconds
        if stages is not None:
            await stages.stop_listening()
            await asyncio.gather(*(each.drain_sessions(seconds) for each in (stages, *self._former)))
        if scheduler is not None:
            await scheduler.drain(max(1.0, end - self._core.loop.time()))
        if stages is not None:
            await stages.close_agents()
        if self._core.writers is not None:
            await self._core.writers.close()
        await self._core.store.close()
        self._submit.close()
        if self._flusher is not None:
            self._flusher.cancel()
        if self._core.refusals is not None:
            self._core.refusals.close()
        self.log.sink.flush()


async def _open_store(directory: Path, clock: SystemClock, log: Log, journal_size: int) -> SqliteStore:
    """Open a shard.  A server that was killed has workers that are just ending: wait for them."""
    end = clock.steady() + _ENDING_TIME
    while True:
        try:
            return SqliteStore(directory, clock=clock, log=log, journal_size=journal_size)
        except ShardBusy:
            if clock.steady() > end:
                raise
        await asyncio.sleep(0.05)


def _configuration(message: dict[str, Any]) -> Config:
    directory = message["directory"]
    config = load_texts(message["main"], message["master"], directory, registry(), find_facts(directory))
    errors = [problem for problem in config.problems if problem.severity is Severity.ERROR]
    if errors:
        raise ConfigurationError(errors)
    return config


def _certificates(message: dict[str, Any], fds: list[int]) -> Certificates:
    """Return the certificates of a message: the last of its descriptors, if it says that they come."""
    return Certificates.unpack(fds[-1]) if message.get("certificates") else Certificates()


def _sockets(message: dict[str, Any], fds: list[int]) -> list[tuple[str, socket.socket]]:
    return [
        (each["service"], socket.socket(fileno=fd))
        for each, fd in zip(message["listeners"], fds, strict=True)
    ]
