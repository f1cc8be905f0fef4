"""What agents report, put into other words by a table: ``..._delivery_status_filter``."""

from __future__ import annotations

import copy
import re
from collections.abc import Awaitable, Callable
from typing import Final

from postroad.base import tasks
from postroad.base.errors import TableUnavailable
from postroad.base.log import Event, Log
from postroad.base.params import Settings
from postroad.model.job import Job
from postroad.model.outcome import Outcome
from postroad.model.ports import Agent
from postroad.outcome.params import DELIVERY_STATUS_FILTER
from postroad.tables.context import TableContext
from postroad.tables.maps import Maps

#: Looks a line up; TableUnavailable when it cannot.
Find = Callable[[str], Awaitable[str | None]]
Report = Callable[[Job], None]

# RFC 3463 2
_STATUS: Final = re.compile(r"[245]\.[0-9]{1,3}\.[0-9]{1,3}(?![^ \t])")

BAD_STATUS = Event(
    "PROGRAM",
    "warning: %s: bad status code: %s",
    "A delivery status filter makes a success a failure, or the reverse, or says nothing that is a status.",
    urgent=True,
)
FAILED = Event(
    "PROGRAM",
    'warning: %s lookup error for "%s": %s',
    "A delivery status filter cannot be asked: who was delivered to stays so, the others wait.",
    urgent=True,
)


class StatusFilter:
    """Asks the tables of one agent's parameter about ``status text``."""

    def __init__(self, find: Find, *, parameter: str, program: str, log: Log) -> None:
        self._find = find
        self._parameter = parameter
        self.program = program
        self.log = log

    async def outcome(self, outcome: Outcome) -> Outcome:
        """Return what an outcome is to be taken for: another failure for a failure, a success for a success.

        The remote server's own words stay as they are, for the notice.
        """
        line = f"{outcome.status} {outcome.text}"
        try:
            value = await self._find(line)
        except TableUnavailable as error:
            self._warn(FAILED, self._parameter, line, error)
            return waiting(outcome)
        if value is None:
            return outcome
        found = _STATUS.match(value)
        success = outcome.status[0] == "2"
        if found is None or (found[0][0] == "2") is not success:
            self._warn(BAD_STATUS, self._parameter, value)
            return outcome
        return _changed(outcome, found[0], value[found.end() :].strip() or outcome.text)

    def _warn(self, event: Event, *values: object) -> None:
        self.log.line(self.program, event.text % values, urgent=True)


class FilteredAgent:
    """An agent (``model.ports.Agent``) whose reports go through a filter, once for each recipient.

    Mail that it hands on to another transport is that one's to report.
    """

    def __init__(self, agent: Agent, transport: str, status: StatusFilter) -> None:
        self._agent = agent
        self._transport = transport
        self._status = status
        self.gathers = agent.gathers

    def deliver(self, job: Job, report: Report) -> None:
        """Try to deliver; ``report(job)`` when every recipient has its outcome, as filtered."""

        def tried(job: Job) -> None:
            if job.transport != self._transport:
                report(job)
                return
            tasks.start(self._filtered(job), lambda _, error: self._told(job, report, error))

        self._agent.deliver(job, tried)

    async def close(self) -> None:
        """End idle connections; jobs under way end by themselves."""
        await self._agent.close()

    async def _filtered(self, job: Job) -> None:
        known: dict[Outcome | None, Outcome | None] = {None: None}  # many recipients share one
        for outcome in job.outcomes:
            if outcome is not None and outcome not in known:
                known[outcome] = await self._status.outcome(outcome)
        job.outcomes = [known[outcome] for outcome in job.outcomes]

    def _told(self, job: Job, report: Report, error: BaseException | None) -> None:
        if error is not None:  # a defect of ours: it must not bounce mail
            self._status.log.error(self._status.program, f"{job.message.id}: unexpected: {error!r}")
            job.outcomes = [each and waiting(each) for each in job.outcomes]
        report(job)


def status_filter(settings: Settings, program: str, tables: TableContext, log: Log) -> StatusFilter | None:
    """Return the filter of a program's agent, None where there is none; ValueError for a table of no type."""
    parameter = DELIVERY_STATUS_FILTER.get(program)
    specs = settings[parameter] if parameter is not None else ()
    if parameter is None or not specs:
        return None
    return StatusFilter(Maps(specs, tables).find, parameter=parameter.name, program=program, log=log)


def waiting(outcome: Outcome) -> Outcome:
    """Return the outcome as it is, but for a failure for good: that waits."""
    if outcome.status[0] != "5":
        return outcome
    return _changed(outcome, f"4{outcome.status[1:]}", outcome.text)


def _changed(outcome: Outcome, status: str, text: str) -> Outcome:
    made = copy.copy(outcome)
    made.status, made.text = status, text
    return made
