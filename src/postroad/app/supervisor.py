"""The supervisor: binds the sockets, starts the workers, answers the control socket.

It parses nothing that comes from the network.  Started as root it stays root, as Postfix's master(8)
does: a reload may ask for new privileged ports, and a worker that died must be started again.  The
workers become mail_owner before they serve anybody.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from postroad import __version__
from postroad.admin.check import check
from postroad.admin.queue import merge
from postroad.admin.users import is_authorized, user_name
from postroad.app import ground, selfsigned
from postroad.app.certificates import needs_self_signed
from postroad.app.channel import Message
from postroad.app.checks import FURTHER
from postroad.app.flushing import SiteFlusher
from postroad.app.helpers import MailboxHelper
from postroad.app.openssl_config import OpensslConfig
from postroad.app.params import CONTROL_SOCKET, SHUTDOWN_TIME, WORKER_PROCESSES
from postroad.app.registry import registry
from postroad.app.renewal import Renewal
from postroad.app.sockets import Opened, close_unused, open_all
from postroad.app.workers import Worker
from postroad.base.clock import SystemClock
from postroad.base.config import Config, find_facts, load
from postroad.base.errors import ConfigurationError, PostroadError, Problem, Severity
from postroad.base.log import Event, Log, sink_for
from postroad.base.tasks import on_failure, spawn
from postroad.listener.listener import listen_unix
from postroad.model.params import (
    DATA_DIRECTORY,
    MAIL_OWNER,
    MAILLOG_FILE,
    MYHOSTNAME,
    QUEUE_DIRECTORY,
    SYSLOG_FACILITY,
    SYSLOG_NAME,
)
from postroad.net.control import ControlServer
from postroad.net.counts import make_table
from postroad.net.tls.files import self_signed_path
from postroad.store.params import AUTHORIZED_FLUSH_USERS, AUTHORIZED_MAILQ_USERS
from postroad.tables.context import TableContext

STARTED = Event(
    "master", "daemon started -- version %s, configuration %s", "The server has started.", urgent=True
)
RELOADED = Event(
    "master", "reload -- version %s, configuration %s", "New settings are in force.", urgent=True
)
REFUSED = Event("master", "warning: reload refused: %s", "The old settings stay in force.", urgent=True)
SELF_SIGNED = Event(
    "master",
    "made a certificate for %s, signed by itself: %s -- name one of an authority in smtpd_tls_chain_files",
    "A service offers TLS, and no certificate is named.",
    urgent=True,
)
STOPPING = Event("master", "terminating on signal %d", "The server stops.", urgent=True)
SUBMIT_SOCKET = "public/pickup"
_LOOK_TIME = 600.0  # seconds that a look through a deep queue may take
_RELOAD_TIME = 60.0  # seconds until a worker that does not answer is replaced
_QUEUE_VERBS = ("hold", "release", "requeue", "expire", "flush", "delete", "list")
#: What users other than root and mail_owner may be allowed to ask.
_OPEN_VERBS = {"list": ("view", AUTHORIZED_MAILQ_USERS), "flush": ("flush", AUTHORIZED_FLUSH_USERS)}


def read_configuration(directory: str) -> Config:
    """Read main.cf and master.cf; ConfigurationError with every problem if any is an error."""
    config = load(directory, registry(), find_facts(directory))
    errors = [p for p in check(config, FURTHER) if p.severity is Severity.ERROR]
    if errors:
        raise ConfigurationError(errors)
    return config


class Supervisor:
    """One running server.  ``run`` returns when it has stopped."""

    def __init__(self, directory: str, ready: Callable[[], None] = lambda: None) -> None:
        # Absolute: the working directory will be the queue's.
        self._directory = os.path.abspath(directory)  # noqa: PTH100
        self._ready = ready
        self._sockets: Opened = {}
        self._workers: list[Worker] = []
        self._helper: MailboxHelper | None = None
        self._control_server: ControlServer | None = None
        self._clock = SystemClock()
        self._renewal: Renewal
        self._flusher: SiteFlusher
        self._watcher: asyncio.Task[None] | None = None
        self._stop_signal = 0
        self._stopped = asyncio.Event()
        self._reloading = asyncio.Lock()

    async def run(self) -> int:
        """Start, serve until told to stop, stop.  PostroadError when it cannot start."""
        self._config = config = read_configuration(self._directory)
        settings = config.settings
        self._owner = ground.owner_of(settings[MAIL_OWNER])
        ground.require_no_root(self._owner)
        ground.raise_file_limit()
        queue_directory = settings[QUEUE_DIRECTORY]
        ground.prepare(queue_directory, settings[DATA_DIRECTORY], self._owner)
        lock = ground.lock(queue_directory)
        try:
            await self._serve(queue_directory, config)
        finally:
            await self._clean_up(queue_directory)
            os.close(lock)
        return 0

    async def _serve(self, queue_directory: str, config: Config) -> None:
        settings = config.settings
        os.chdir(queue_directory)  # paths in main.cf such as private/auth are relative to it
        os.umask(0o077)
        self.log = Log(
            sink_for(settings[MAILLOG_FILE], settings[SYSLOG_FACILITY], settings[MYHOSTNAME]),
            settings[SYSLOG_NAME],
        )
        on_failure(lambda name, error: self.log.error("master", f"task {name}: {error!r}"))
        self._give_log()
        self._make_certificate(config)
        self._renewal = self._certificates(config)
        self._flusher = SiteFlusher(self._ask_all, self._say_flushed, self.log, self._clock)
        self._count = settings[WORKER_PROCESSES] or len(os.sched_getaffinity(0))
        self._sockets = open_all(config, self._count, {})
        self._submit = listen_unix(str(Path(queue_directory) / SUBMIT_SOCKET))
        self._submit.setblocking(False)
        self._counts = make_table(self._count)
        if os.geteuid() == 0:
            self._helper = MailboxHelper(config, self.log, self._give_helper)
        control = ControlServer(settings[CONTROL_SOCKET], self._control, 0o666, self._defect)
        await control.start()
        self._control_server = control
        self._listen_to_signals()
        async with self._reloading:  # a SIGHUP that comes early has its turn afterwards
            await self._start_workers()
        self.log.emit(STARTED, __version__, self._directory)
        self._watcher = spawn(self._watch_certificates())
        self._ready()
        await self._stopped.wait()
        await control.close()
        await self._shut_down()

    async def _clean_up(self, queue_directory: str) -> None:
        """Leave nothing behind, however it ended."""
        if self._control_server is not None:
            await self._control_server.close()
        if self._helper is not None:
            self._helper.stop()
        if self._watcher is not None:
            self._watcher.cancel()
        close_unused(self._sockets, {})
        _unlink(Path(queue_directory, SUBMIT_SOCKET))

    def _defect(self, what: str, error: BaseException) -> None:
        self.log.error("master", f"{what}: {error!r}")

    # --- certificates

    def _make_certificate(self, config: Config) -> None:
        """Make a certificate where a service offers TLS and names none; PostroadError if that fails."""
        if not needs_self_signed(config):
            return
        settings = config.settings
        path, name = self_signed_path(settings), settings[MYHOSTNAME]
        try:
            if selfsigned.ensure(path, name, self._clock.now()):
                self.log.emit(SELF_SIGNED, name, path)
        except OSError as error:
            raise PostroadError(f"{path}: cannot be made: {error.strerror or error}") from error

    def _certificates(self, config: Config) -> Renewal:
        return Renewal(config, self.log, self._clock, self._send_certificates)

    def _send_certificates(self, fd: int) -> None:
        for worker in self._workers:
            worker.send({"do": "certificates"}, [fd])

    async def _watch_certificates(self) -> None:
        while True:
            await asyncio.sleep(self._renewal.interval)
            if self._reloading.locked():
                continue
            try:
                self._renewal.look()
            except Exception as error:  # noqa: BLE001 - what is in force stays; the next look may do
                self._defect("look at certificates", error)

    # --- starting

    def _give_log(self) -> None:
        """Let the workers open the log file again by themselves."""
        path = self._config.settings[MAILLOG_FILE]
        if path and not path.startswith("/dev/") and os.geteuid() == 0:
            os.chown(path, self._owner.uid, self._owner.gid)

    async def _start_workers(self) -> None:
        self._workers = [
            Worker(number, self._begin, self.log, self._flusher.want) for number in range(self._count)
        ]
        environment = OpensslConfig(self._config.settings).environment()
        for worker in self._workers:
            worker.environment = environment
            worker.start()
        problems = [p for worker in self._workers for p in await worker.ready]
        if problems:
            for worker in self._workers:
                worker.kill()
            raise PostroadError("\n".join(dict.fromkeys(problems)))

    def _begin(self, number: int) -> tuple[Message, Sequence[int]]:
        """Return what a new worker is told first, and the descriptors that go with it."""
        message, fds = self._settings_message(number)
        fds = [*fds, self._submit.fileno(), self._counts]
        if self._helper is not None:
            fds.append(self._helper.start(number))
        fds.append(self._renewal.fd)
        message |= {
            "do": "begin",
            "worker": number,
            "workers": self._count,
            "helper": self._helper is not None,
            "certificates": True,
            "owner": [self._owner.name, self._owner.uid, self._owner.gid],
        }
        return message, fds

    def _give_helper(self, number: int, fd: int) -> None:
        """Tell a worker of its new mailbox helper."""
        if number < len(self._workers):
            self._workers[number].send({"do": "helper"}, [fd])

    def _settings_message(self, number: int) -> tuple[Message, list[int]]:
        listeners = []
        fds = []
        for endpoint, sockets in self._sockets.values():
            if sockets:
                listeners.append(
                    {"service": endpoint.service, "address": endpoint.address, "port": endpoint.port}
                )
                fds.append(sockets[number].fileno())
        directory = self._config.directory
        texts = dict(zip(("main", "master"), self._config.texts, strict=True))
        return {"directory": str(directory), "listeners": listeners} | texts, fds

    def _listen_to_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop, int(number))
        loop.add_signal_handler(signal.SIGHUP, lambda: spawn(self.reload()))
        loop.add_signal_handler(signal.SIGUSR1, self._reopen)

    # --- while it runs

    def stop(self, number: int = int(signal.SIGTERM)) -> None:
        """Begin to stop."""
        self._stop_signal = number
        self._stopped.set()

    def _reopen(self) -> None:
        try:
            self.log.sink.reopen()
            self._give_log()
        except OSError as error:
            self.log.warning("master", f"the log file cannot be opened again: {error}")
        for worker in self._workers:
            worker.send({"do": "reopen"})

    async def reload(self) -> list[str]:
        """Read the configuration again.  With any problem the old one stays; returns the problems."""
        async with self._reloading:
            try:
                config = read_configuration(self._directory)
                self._require_same_queue(config)
                self._make_certificate(config)
                sockets = open_all(config, self._count, self._sockets)
            except PostroadError as error:
                return self._refuse(str(error).splitlines())
            before = self._config, self._sockets, self._renewal
            problems = await self._put_in_force(config, sockets, self._certificates(config))
            if problems:
                failed = self._renewal
                await self._put_in_force(*before)
                failed.close()
                close_unused(sockets, before[1])
                return self._refuse(problems)
            before[2].close()
            close_unused(before[1], sockets)
            if self._helper is not None:
                self._helper.configure(config)
            self._say_what_needs_a_restart(before[0])
            self.log.emit(RELOADED, __version__, self._directory)
            return []

    async def _put_in_force(self, config: Config, sockets: Opened, renewal: Renewal) -> list[str]:
        """Give every worker these settings; returns what keeps any of them from obeying."""
        self._config, self._sockets, self._renewal = config, sockets, renewal
        answers = await asyncio.gather(*(self._reload_worker(worker) for worker in self._workers))
        return list(dict.fromkeys(problem for answer in answers for problem in answer.get("problems", [])))

    async def _reload_worker(self, worker: Worker) -> dict[str, Any]:
        message, fds = self._settings_message(worker.number)
        message["certificates"] = True
        fds.append(self._renewal.fd)
        answer = await worker.ask({"verb": "reload"} | message, fds, _RELOAD_TIME)
        if "error" in answer and "problems" not in answer:
            # It has ended, or hangs: the one that takes its place begins with the new settings.
            self.log.warning("master", str(answer["error"]))
            worker.replace()
        return answer

    def _refuse(self, problems: list[str]) -> list[str]:
        for problem in problems:
            self.log.emit(REFUSED, problem)
        return problems

    def _require_same_queue(self, config: Config) -> None:
        """A reload cannot change the queue: its mail, and the commands' way to this server, are there."""
        if config.settings[QUEUE_DIRECTORY] != self._config.settings[QUEUE_DIRECTORY]:
            message = "queue_directory cannot be changed while the server runs"
            hint = "stop the server first"
            raise ConfigurationError([Problem(config.where("queue_directory"), message, hint)])

    def _say_what_needs_a_restart(self, before: Config) -> None:
        old, new = before.settings.texts, self._config.settings.texts
        for param in registry():
            if not param.live and old.get(param.name) != new.get(param.name):
                self.log.warning("master", f"to change {param.name}, stop and start the server")

    async def _control(self, request: dict[str, Any], peer_uid: int) -> dict[str, Any]:
        """Answer a request that came over the control socket."""
        verb = request.get("verb")
        ours = peer_uid in (0, os.geteuid(), self._owner.uid)
        if verb == "status":
            return {"pid": os.getpid(), "workers": [w.pid for w in self._workers], "version": __version__}
        refusal = "" if ours else await self._refusal(verb, peer_uid)
        if refusal:
            return {"error": refusal, "code": 77}
        if verb == "stop":
            self.stop()
            return {"pid": os.getpid()}
        if verb == "reload":
            return {"problems": await self.reload()}
        if verb == "reopen":
            self._reopen()
            return {}
        if verb in _QUEUE_VERBS:
            return merge(await asyncio.gather(*(worker.ask(request) for worker in self._workers)))
        return {"error": f"unknown request: {verb!r}"}

    async def _ask_all(self, request: dict[str, Any]) -> list[dict[str, Any]]:
        """Put a question to all workers that may take them long."""
        return await asyncio.gather(*(worker.ask(request, (), _LOOK_TIME) for worker in self._workers))

    def _say_flushed(self, number: int) -> None:
        self._workers[number].send({"do": "flushed"})

    async def _refusal(self, verb: object, uid: int) -> str:
        """Return why another user may not ask this, "" if they may."""
        if not isinstance(verb, str) or verb not in _OPEN_VERBS:
            return "not permitted: only root and mail_owner may do this"
        word, param = _OPEN_VERBS[verb]
        settings = self._config.settings
        if await is_authorized(uid, param, settings, TableContext(self._config.directory, settings.texts)):
            return ""
        return f"User {user_name(uid)}({uid}) is not allowed to {word} the mail queue"

    # --- stopping

    async def _shut_down(self) -> None:
        self.log.emit(STOPPING, self._stop_signal)
        close_unused(self._sockets, {})
        seconds = self._config.settings[SHUTDOWN_TIME]
        await asyncio.gather(*(worker.stop(seconds) for worker in self._workers))


def _unlink(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()
