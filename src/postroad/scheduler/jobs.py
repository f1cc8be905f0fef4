"""Jobs: what may begin is handed to an agent, what it reports is noted, and the next may begin."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from postroad.base.clock import Clock
from postroad.base.log import Log
from postroad.model.job import Attempt, Job
from postroad.model.message import Recipient, Text
from postroad.model.outcome import Outcome
from postroad.model.ports import Outcomes
from postroad.model.queue import Store
from postroad.scheduler.backlog import Backlog
from postroad.scheduler.lane import Lane, flow_name
from postroad.scheduler.progress import Progress
from postroad.scheduler.refusals import SILENT, suspended
from postroad.scheduler.transport import TransportLanes

_NOTHING = Text(b"")  # stands for a content that is not needed


class Jobs:
    """Begins jobs.

    ``room()`` is how many more messages may be in memory, ``ended(attempt)`` is called for each job that
    has ended, ``call_back(backlog)`` has some of a backlog tried again.
    """

    outcomes: Outcomes
    dead_time: float

    def __init__(self, store: Store, log: Log, clock: Clock, *, room: Callable[[], int], ended: Callable[[Attempt], None], call_back: Callable[[Backlog], None]) -> None:  # fmt: skip  # noqa: E501
        self._store = store
        self._log = log
        self._clock = clock
        self._room = room
        self._ended = ended
        self._call_back = call_back
        self._progress = Progress(store)
        self.recalled: dict[int, Backlog] = {}  # where messages that were parked come from
        self.given_up = Backlog()  # what was parked for a destination that is dead now

    def put(self, transport: TransportLanes, lane: Lane, attempt: Attempt, recipients: Sequence[Recipient], now: float) -> Backlog | None:  # fmt: skip  # noqa: E501
        """Begin the delivery, or let it wait for its turn; the caller dispatches.

        Returns a backlog when there is no place for this: nothing was done, the message has to wait there.
        """
        if transport.is_free(lane, recipients):
            # As if it were put into the lane and dispatched: nobody waits whose turn is before.
            attempt.pending += 1
            transport.dispatching = True
            try:
                self._begin(transport, lane, attempt, recipients, now)
            finally:
                transport.dispatching = False
            return None
        if lane.dead is not None:
            if lane.dead_until > now:
                self.refuse(attempt, recipients, "retry", lane.nexthop, suspended(lane.dead))
                return None
            lane.revive()
        name = flow_name(attempt.message.sender)
        backlog = transport.backlog(lane, name, self._room())
        if backlog is not None and backlog is not self.recalled.get(attempt.message.key):
            return backlog
        transport.put(lane, name, attempt, recipients)
        return None

    def refuse(self, attempt: Attempt, recipients: Sequence[Recipient], name: str, nexthop: str, outcome: Outcome) -> None:  # fmt: skip  # noqa: E501
        """Give recipients an outcome without asking an agent."""
        job = Job(attempt.message, recipients, name, nexthop, _NOTHING)
        job.attempt = attempt
        job.begun = self._clock.steady()
        job.all(outcome)
        self.outcomes.report(job)

    def dispatch(self, transport: TransportLanes) -> None:
        """Begin every job that may begin.  An agent that reports at once does not recurse."""
        if transport.dispatching:
            return
        transport.dispatching = True
        try:
            while turn := transport.take():
                lane, (attempt, recipients) = turn
                self._begin(transport, lane, attempt, recipients, self._clock.steady())
        finally:
            transport.dispatching = False

    def _begin(self, transport: TransportLanes, lane: Lane, attempt: Attempt, recipients: Sequence[Recipient], now: float) -> None:  # fmt: skip  # noqa: E501
        message = attempt.message
        content = message.content
        job = Job(
            message, recipients, transport.name, lane.nexthop, content if content is not None else _NOTHING
        )
        job.attempt = attempt
        job.begun = now
        lane.busy += 1
        transport.active += 1
        # The agent may change where the job says it goes (best_mx_transport); the lane is this one.
        reported = partial(self._reported, transport, lane)
        try:
            if content is None:
                job.content = self._store.content(message)
            transport.agent.deliver(job, reported)
        except Exception as error:  # noqa: BLE001 - a defect in an agent must not lose mail
            self._log.error("qmgr", f"{message.id}: transport {transport.name} failed: {error!r}")
            job.all(Outcome("4.3.0", "unknown mail transport error"))
            reported(job)

    def _reported(self, transport: TransportLanes, lane: Lane, job: Job) -> None:
        """An agent has done what it could: every recipient gets exactly one outcome."""
        attempt = job.attempt
        if attempt is None:
            return  # it has reported already
        if None in job.outcomes:
            job.all(SILENT)
        transport.active -= 1
        lane.busy -= 1
        if job.site_failure is None:
            if lane.dead is None:
                lane.window.success(lane.busy + 1)
            else:
                lane.revive()
        elif lane.window.failure() and lane.dead is None:
            self._declare_dead(transport, lane, job.site_failure)
        if transport.rate_delay:
            self._rest(transport, lane)
        if lane.waiting:
            transport.wake(lane)
        self.outcomes.report(job)
        job.attempt = None
        if job.new_messages:
            attempt.new_messages += job.new_messages
        if attempt.pending > 1:
            self._progress.note(attempt)  # others of its recipients may take long
        self._ended(attempt)
        if transport.round:
            self.dispatch(transport)
        if lane.parked or transport.parked:
            self.call_back(transport, lane, (flow_name(attempt.message.sender), ""))

    def call_back(self, transport: TransportLanes, lane: Lane, names: Iterable[str]) -> None:
        """Have parked mail of these flows tried again, if little is left of what was before it."""
        for backlog in transport.hungry(lane, names, self._room()):
            self._call_back(backlog)

    def call_back_all(self, transports: Iterable[TransportLanes]) -> None:
        """Do so for all flows."""
        for transport in transports:
            for lane in list(transport.lanes.values()):
                if lane.parked or transport.parked:
                    self.call_back(transport, lane, {*lane.parked, *transport.parked})

    def _rest(self, transport: TransportLanes, lane: Lane) -> None:
        """Begin destination_rate_delay: it is between the end of a delivery and the next."""
        lane.not_before = self._clock.steady() + transport.rate_delay
        asyncio.get_running_loop().call_later(transport.rate_delay, self._rested, transport, lane)

    def _rested(self, transport: TransportLanes, lane: Lane) -> None:
        lane.not_before = 0.0
        transport.wake(lane)
        self.dispatch(transport)

    def _declare_dead(self, transport: TransportLanes, lane: Lane, outcome: Outcome) -> None:
        lane.dead = outcome
        lane.dead_until = self._clock.steady() + self.dead_time
        refusal = suspended(outcome)
        for attempt, recipients in transport.drain(lane):
            self.refuse(attempt, recipients, "retry", lane.nexthop, refusal)
            self._ended(attempt)
        self.give_up(lane.parked)

    def give_up(self, parked: dict[str, Backlog]) -> None:
        """Have all of these backlogs tried again: there is nothing to wait for."""
        for backlog in parked.values():
            self.given_up.take_over(backlog)
        parked.clear()
        if self.given_up:
            self._call_back(self.given_up)
