"""Policy servers: where they are, and the connections to them (SMTPD_POLICY_README).

One ``PolicyServer`` keeps as many connections as it had questions at one time.  A session goes on with
the connection that it used before where that is free, since a server may remember by connection.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from postroad.base.errors import PostroadError
from postroad.base.kinds import split_list
from postroad.base.log import Log
from postroad.base.params import Param, Settings
from postroad.model.params import QUEUE_DIRECTORY
from postroad.policy import asking_params as p
from postroad.proto.delegation import Answer, AnswerError
from postroad.tables.braces import inside

_PREFIX: Final = "smtpd_policy_service_"
_OPTIONS: Final[Mapping[str, Param[Any]]] = {
    param.name.removeprefix(_PREFIX): param
    for param in (
        p.POLICY_SERVICE_TIMEOUT,
        p.POLICY_SERVICE_MAX_IDLE,
        p.POLICY_SERVICE_MAX_TTL,
        p.POLICY_SERVICE_REQUEST_LIMIT,
        p.POLICY_SERVICE_RETRY_DELAY,
        p.POLICY_SERVICE_TRY_LIMIT,
        p.POLICY_SERVICE_DEFAULT_ACTION,
        p.POLICY_SERVICE_POLICY_CONTEXT,
    )
}


class PolicyUnavailable(PostroadError):  # noqa: N818 - a state of the server, not a defect
    """A policy server gave no answer; the log has the reason.  Never taken for an answer."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a policy server listens.  ``text`` is as configured, ``name`` as log lines have it."""

    text: str
    name: str
    host: str = ""
    port: str = ""
    path: str = ""


def read_endpoint(text: str, queue_directory: str) -> Endpoint:
    """Return what ``inet:host:port``, ``inet:port`` or ``unix:path`` means; ValueError if it is neither."""
    kind, _, rest = text.partition(":")
    if kind in ("unix", "local") and rest:
        return Endpoint(text, rest, path=os.path.join(queue_directory, rest))  # noqa: PTH118 - text
    if kind != "inet":
        raise ValueError(f"{text}: expected inet:host:port or unix:pathname")
    host, _, port = rest.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    number = int(port) if port.isascii() and port.isdigit() else 1
    if not port or not 0 < number < 65536 or (rest.startswith(":")):
        raise ValueError(f"{text}: expected inet:host:port")
    return Endpoint(text, rest, host=host or "localhost", port=port)


@dataclass(frozen=True, slots=True)
class PolicySpec:
    """The argument of ``check_policy_service``: a server and how it is asked.  Times in seconds."""

    endpoint: Endpoint
    timeout: int
    max_idle: int
    max_ttl: int
    request_limit: int
    retry_delay: int
    try_limit: int
    default_action: str
    policy_context: str


def read_spec(text: str, settings: Settings) -> PolicySpec:
    """Return what ``inet:host:port`` or ``{ inet:host:port, name=value ... }`` says.

    What is not said is as the smtpd_policy_service_ parameters have it.  ValueError for an argument
    that cannot be used.
    """
    members = split_list(inside(text)) if text.startswith("{") else (text,)
    if not members:
        raise ValueError(f"{text}: no server")
    values = {name: settings[param] for name, param in _OPTIONS.items()}
    for member in members[1:]:
        name, equals, value = (inside(member) if member.startswith("{") else member).partition("=")
        param = _OPTIONS.get(name.strip())
        if param is None or not equals:
            raise ValueError(f"{members[0]}: {member}: expected one of {', '.join(_OPTIONS)}, and =value")
        try:
            values[name.strip()] = param.read(value.strip())
        except ValueError as error:
            raise ValueError(f"{members[0]}: {name.strip()}: {error}") from error
    return PolicySpec(read_endpoint(members[0], settings[QUEUE_DIRECTORY]), **values)


class _Line(asyncio.Protocol):
    """One connection to a policy server: one question at a time."""

    __slots__ = ("_answer", "_lost", "_transport", "_waiting", "asked", "idle", "opened")

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._waiting: asyncio.Future[str] | None = None
        self._answer = Answer()
        self._lost = False
        self.opened = 0.0  # on the loop's clock
        self.asked = 0
        self.idle: asyncio.TimerHandle | None = None

    @property
    def usable(self) -> bool:
        """Whether another question may be asked."""
        return not self._lost

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass

    def data_received(self, data: bytes) -> None:
        waiting = self._waiting
        if waiting is None or waiting.done():
            # Said without a question.  The next question must not have this for its answer.
            self.close()
            return
        try:
            action = self._answer.feed(data)
        except AnswerError as error:
            self._fail(error)
            return
        if action is not None:
            waiting.set_result(action)

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(exc or ConnectionResetError("premature end-of-input"))

    def _fail(self, error: Exception) -> None:
        self.close()
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(error)

    async def ask(self, question: bytes, seconds: float) -> str:
        """Return the action; OSError, TimeoutError or AnswerError end the connection."""
        transport = self._transport
        if transport is None or self._lost:
            raise ConnectionResetError("premature end-of-input")
        self._answer = Answer()
        self._waiting = asyncio.get_running_loop().create_future()
        self.asked += 1
        done = False
        try:
            transport.write(question)
            async with asyncio.timeout(seconds):
                action = await self._waiting
            done = True
            return action
        finally:
            self._waiting = None
            if not done:  # an answer may still come, and would be the next question's
                self.close()

    def close(self) -> None:
        """Ask nothing more here."""
        self._lost = True
        if self.idle is not None:
            self.idle.cancel()
            self.idle = None
        if self._transport is not None:
            self._transport.abort()


class PolicyServer:
    """One policy server, asked over connections that are kept."""

    __slots__ = ("_idle", "_log", "spec")

    def __init__(self, spec: PolicySpec, log: Log) -> None:
        self.spec = spec
        self._log = log
        self._idle: list[_Line] = []

    async def ask(self, question: bytes, memory: dict[str, Any]) -> str:
        """Return the action; PolicyUnavailable when none came in any try.

        ``memory`` is the session's.  To be run as a task.
        """
        spec = self.spec
        for attempt in range(1, spec.try_limit + 1):
            try:
                return await self._try(question, memory)
            except (OSError, AnswerError) as error:  # TimeoutError is an OSError
                self._tell(error, last=attempt == spec.try_limit)
            if attempt < spec.try_limit:
                await asyncio.sleep(spec.retry_delay)
        raise PolicyUnavailable(spec.endpoint.name)

    async def _try(self, question: bytes, memory: dict[str, Any]) -> str:
        key = f"delegation.{self.spec.endpoint.text}"
        line = self._take(memory.get(key)) or await self._open()
        memory[key] = line
        action = await line.ask(question, self.spec.timeout)
        self._keep(line)
        return action

    def _take(self, known: _Line | None) -> _Line | None:
        """Return a connection that is free, the known one if it is; None when there is none."""
        idle = self._idle
        now = asyncio.get_running_loop().time()
        while idle:
            if known is not None and known in idle:
                idle.remove(known)
                line, known = known, None
            else:
                line = idle.pop()
            if line.usable and now - line.opened < self.spec.max_ttl:
                if line.idle is not None:
                    line.idle.cancel()
                    line.idle = None
                return line
            line.close()
        return None

    def _keep(self, line: _Line) -> None:
        spec, loop = self.spec, asyncio.get_running_loop()
        age = loop.time() - line.opened
        if not line.usable or age >= spec.max_ttl or 0 < spec.request_limit <= line.asked:
            line.close()
            return
        self._idle = [each for each in self._idle if each.usable]
        self._idle.append(line)
        line.idle = loop.call_later(min(spec.max_idle, spec.max_ttl - age), line.close)

    async def _open(self) -> _Line:
        loop, endpoint = asyncio.get_running_loop(), self.spec.endpoint
        try:
            async with asyncio.timeout(self.spec.timeout):
                if endpoint.path:
                    _, line = await loop.create_unix_connection(_Line, endpoint.path)
                else:
                    _, line = await loop.create_connection(_Line, endpoint.host, cast("int", endpoint.port))
        except OSError as error:
            self._log.warning("smtpd", f"connect to {endpoint.name}: {_reason(error)}")
            raise
        line.opened = loop.time()
        return line

    def _tell(self, error: Exception, *, last: bool) -> None:
        """Log a failed try, as Postfix does: one closed, or without a socket, only when it is the last."""
        name = self.spec.endpoint.name
        if isinstance(error, AnswerError):
            self._log.warning("smtpd", f"{error} in input from {name}")
        if last or not isinstance(error, (ConnectionResetError, BrokenPipeError, FileNotFoundError)):
            self._log.warning("smtpd", f"problem talking to server {name}: {_reason(error)}")


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "Connection timed out"
    if isinstance(error, OSError):
        return os.strerror(error.errno) if error.errno and error.errno > 0 else str(error)
    return "Application error"
