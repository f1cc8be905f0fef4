"""``check_python module:function``: a function in Python is asked.

Whatever it does wrong (an exception, nothing returned, no end) is answered 451 and logged.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, cast

from postroad.base.errors import PostroadError
from postroad.base.ids import id_of
from postroad.base.tasks import spawn
from postroad.model.explain import Lookup
from postroad.model.hooks import ClientFacts, Continue, Defer, Facts, LoginFacts, Permit, Reject, Stage
from postroad.model.reply import Reply
from postroad.policy.action import Actions, Subject
from postroad.policy.asking_params import PYTHON_HOOK_TIMEOUT
from postroad.policy.basics import broken
from postroad.policy.hook_module import find_hook, reason
from postroad.policy.query import Query
from postroad.policy.services import Services
from postroad.policy.verdict import PERMIT, Check, Verdict

#: What log lines about an action call the key that was looked up.
_DATUM: Final = "hook"
#: Functions that block, at one time; more wait for a thread, which counts for their time limit.
_THREADS: Final = 32
_pool: list[ThreadPoolExecutor] = []


class HookFailed(PostroadError):  # noqa: N818 - a state, as its siblings
    """A hook gave no verdict; the text says why.  Never taken for one."""


def check_python(services: Services, name: str, argument: str, default: str) -> Check:
    """``check_python``: do what the function says.  ValueError for one that cannot be imported."""
    if ":" not in argument:
        return broken(f"restriction {name} must be followed by module:function")
    return PythonHook(services, argument, default).check


class PythonHook:
    """One function as one list asks it."""

    __slots__ = ("_actions", "_function", "_limit", "_log", "_name", "_recorder", "_waits")

    def __init__(self, services: Services, argument: str, default: str) -> None:
        self._name = f"check_python {argument}"
        self._function = function = find_hook(argument, services.tables.config_directory)
        self._waits = inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
            getattr(function, "__call__", None)  # noqa: B004 - an object with an async __call__
        )
        self._limit: float = services.settings[PYTHON_HOOK_TIMEOUT]
        self._log = services.log
        self._recorder = services.recorder
        self._actions = Actions(services, self._name, default)

    def check(self, query: Query) -> Coroutine[Any, Any, Verdict]:
        """Ask the function."""
        return self._ask(query)

    async def _ask(self, query: Query) -> Verdict:
        try:
            answer = await spawn(self._call(facts_of(query)), "hook")
        except HookFailed as error:
            self._log.warning("smtpd", f"{self._name}: {error}")
            if self._recorder is not None:
                self._recorder.lookup(Lookup(self._name, _DATUM, None, str(error)))
            return query.rejected(451, "4.3.5", "Server configuration problem")
        if self._recorder is not None:
            self._recorder.lookup(Lookup(self._name, _DATUM, str(answer)))
        if isinstance(answer, str):
            return await self._actions.do(query, answer, Subject(query.name, query.kind, _DATUM))
        return _verdict(query, answer)

    async def _call(self, facts: Facts) -> Any:
        """Return the function's verdict; HookFailed when it gives none in time."""
        running = self._run(self._function, facts)
        done, _ = await asyncio.wait([running], timeout=self._limit)
        if not done:
            running.cancel()  # whether it obeys or not, it is not waited for
            raise HookFailed(f"no verdict in {self._limit:g}s")
        if running.cancelled():
            raise HookFailed("it was cancelled")
        answer, error = running.result()
        if error is not None:
            raise HookFailed(reason(error)) from error
        if isinstance(answer, (str, Continue, Permit, Reject, Defer)):
            return answer
        raise HookFailed(f"the verdict is of type {type(answer).__name__}")

    def _run(self, function: Callable[[Facts], Any], facts: Facts) -> asyncio.Future[Any]:
        """Begin; the result is (verdict, error), so that nothing raised can end the loop."""
        if self._waits:
            return spawn(_awaited(function, facts), "hook function")
        return asyncio.get_running_loop().run_in_executor(_executor(), _called, function, facts)


async def _awaited(function: Callable[[Facts], Any], facts: Facts) -> tuple[Any, BaseException | None]:
    try:
        return await function(facts), None
    except asyncio.CancelledError:
        raise
    except BaseException as error:  # noqa: BLE001 - SystemExit, too, is only a hook's failure
        return None, error


def _called(function: Callable[[Facts], Any], facts: Facts) -> tuple[Any, BaseException | None]:
    try:
        answer = function(facts)
    except BaseException as error:  # noqa: BLE001 - as above
        return None, error
    if inspect.iscoroutine(answer):
        answer.close()
    return answer, None


def _executor() -> ThreadPoolExecutor:
    """Return the threads of the process: not the loop's own, which a hook could use up."""
    if not _pool:
        _pool.append(ThreadPoolExecutor(_THREADS, "hook"))
    return _pool[0]


def _verdict(query: Query, answer: Continue | Permit | Reject | Defer) -> Verdict:
    match answer:
        case Continue():
            return None
        case Permit():
            return PERMIT
        case _:
            return _refusal(query, answer)


def _refusal(query: Query, answer: Reject | Defer) -> Reply:
    return query.rejected(answer.code, answer.status, answer.text)


def facts_of(query: Query) -> Facts:
    """Return what a hook is told."""
    session, transaction = query.session, query.session.transaction
    client = session.client
    login = None
    if session.sasl_username:
        login = LoginFacts(
            username=session.sasl_username, method=session.sasl_method, sender=session.sasl_sender
        )
    return Facts(
        stage=cast("Stage", query.command),
        protocol=session.protocol,
        client=ClientFacts(
            address=client.address,
            port=client.port,
            name=client.name,
            reverse_name=client.reverse_name,
            server_address=client.server_address,
            server_port=client.server_port,
        ),
        helo=session.helo,
        sender=transaction.sender,
        recipient=query.recipient,
        recipients=tuple(each.original for each in transaction.recipients),
        size=query.size or transaction.size,
        login=login,
        tls=session.tls_facts,
        queue_id=id_of(transaction.queue_key) if transaction.queue_key else "",
        etrn_domain=query.domain,
    )
