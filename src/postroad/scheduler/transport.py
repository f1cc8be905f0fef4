"""One transport: its agent, its limits, and a round of senders that have something to send.

Senders take turns, in each lane and in the transport, so that one who sends much delays nobody.  Nor
does what waits fill the memory: who has more than a part of the room that is left has the rest parked.
The parts are of what is left, so that however many have much, there is always room for who has little.
Every step costs the same however much waits.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence

from postroad.base.params import Settings
from postroad.model.job import Attempt
from postroad.model.message import Recipient
from postroad.model.ports import Agent
from postroad.scheduler.backlog import Backlog
from postroad.scheduler.feedback import Law, parse_feedback
from postroad.scheduler.lane import Flow, Lane, Waiting
from postroad.scheduler.params import (
    COHORTS,
    CONCURRENCY,
    INITIAL,
    NEGATIVE,
    POSITIVE,
    RATE_DELAY,
    RECIPIENTS,
)

_IDLE_LANES = 5000  # lanes kept for what they have learnt; beyond, idle ones are forgotten
_FEW = 100  # jobs that wait; with fewer, parked mail is called back


class TransportLanes:
    """The lanes of one transport.

    ``share`` is the number of workers that share the server's limits: each obeys its part, at
    least one, and rests so many times destination_rate_delay.  ``process_limit`` is our part of
    master.cf's maxproc, the most deliveries at one time.  What an agent gathers is one delivery.
    """

    def __init__(
        self, name: str, agent: Agent, settings: Settings, process_limit: int, share: int = 1
    ) -> None:
        self.name = name
        self.lanes: dict[str, Lane] = {}
        self.flows: dict[str, Flow] = {}
        self.round: deque[Flow] = deque()  # flows with work that may begin
        self.parked: dict[str, Backlog] = {}  # as in a lane
        self.waiting = 0
        self.active = 0
        self.dispatching = False  # its jobs are being begun: one that is reported at once waits
        self._most = _IDLE_LANES
        self.configure(agent, settings, process_limit, share)

    def configure(self, agent: Agent, settings: Settings, process_limit: int, share: int) -> None:
        """Obey these settings from now on; lanes keep their mail and their windows."""
        self.agent = agent
        gathers = agent.gathers
        self.process_limit = process_limit * gathers
        self.recipient_limit = settings.transport(RECIPIENTS, self.name)
        self.rate_delay = settings.transport(RATE_DELAY, self.name) * share
        limit = settings.transport(CONCURRENCY, self.name)
        if self.rate_delay:
            limit = gathers = 1  # Postfix: a rate delay means one delivery at a time
        self.law = Law(
            _part(limit, share) * gathers,
            _part(settings.transport(INITIAL, self.name), share) * gathers,
            parse_feedback(settings.transport(POSITIVE, self.name)),
            parse_feedback(settings.transport(NEGATIVE, self.name)),
            settings.transport(COHORTS, self.name),
        )
        for lane in self.lanes.values():
            lane.window.obey(self.law)

    def lane(self, nexthop: str, now: float, name: str = "") -> Lane:
        """Return the lane of a destination, or of ``name``, which is one recipient there."""
        key = name or nexthop
        lane = self.lanes.get(key)
        if lane is None:
            if len(self.lanes) >= self._most:
                self._forget(now)
            lane = self.lanes[key] = Lane(nexthop, self.law)
        return lane

    # --- jobs that wait

    def put(self, lane: Lane, name: str, attempt: Attempt, recipients: Sequence[Recipient]) -> None:
        """Queue the recipients of one message in a flow of a lane, in jobs of recipient_limit."""
        flow = self.flows.get(name)
        if flow is None:
            flow = self.flows[name] = Flow(name)
        line = lane.lines.get(flow)
        if line is None:
            line = lane.lines[flow] = deque()
            if lane.is_open():
                self._make_ready(flow, lane)
            else:
                lane.blocked.append(flow)
        most = self.recipient_limit or len(recipients)
        jobs = 0
        for at in range(0, len(recipients), most):
            line.append((attempt, recipients[at : at + most]))
            jobs += 1
        attempt.pending += jobs
        self._count(lane, flow, jobs)

    def _make_ready(self, flow: Flow, lane: Lane) -> None:
        if not flow.ready:
            self.round.append(flow)
        flow.ready.append(lane)

    def _count(self, lane: Lane, flow: Flow, jobs: int) -> None:
        lane.waiting += jobs
        flow.waiting += jobs
        self.waiting += jobs

    def wake(self, lane: Lane) -> None:
        """Let flows have the places that a lane has now."""
        places = lane.window.size - lane.busy
        while places > 0 and lane.blocked and not lane.not_before:
            flow = lane.blocked.popleft()
            if flow in lane.lines:
                self._make_ready(flow, lane)
                places -= 1

    def take(self) -> tuple[Lane, Waiting] | None:
        """Remove and return a job that may begin now: senders take turns.  None when there is none."""
        if self.process_limit and self.active >= self.process_limit:
            return None
        while self.round:
            flow = self.round.popleft()
            lane = flow.ready.popleft()
            if flow.ready:
                self.round.append(flow)
            line = lane.lines.get(flow)
            places = lane.window.size - lane.busy if not lane.not_before else 0
            if line is None:
                self._drop_idle(flow)
                continue
            if places <= 0:
                lane.blocked.append(flow)
                continue
            job = line.popleft()
            lane.waiting -= 1
            flow.waiting -= 1
            self.waiting -= 1
            if not line:
                del lane.lines[flow]
                self._drop_idle(flow)
            elif places > 1 or self.round:  # those whose turn is before wait for a place before it
                self._make_ready(flow, lane)
            else:
                lane.blocked.append(flow)
            return lane, job
        return None

    def drain(self, lane: Lane, *, interrupted: bool = False) -> list[Waiting]:
        """Remove and return what waits for a lane: everything, or the jobs of interrupted attempts."""
        gone: list[Waiting] = []
        for flow, line in list(lane.lines.items()):
            out = [job for job in line if job[0].interrupted] if interrupted else list(line)
            if len(out) == len(line):
                del lane.lines[flow]
            elif out:
                lane.lines[flow] = deque(job for job in line if not job[0].interrupted)
            self._count(lane, flow, -len(out))
            self._drop_idle(flow)
            gone += out
        if not interrupted:
            lane.blocked.clear()
        return gone

    def _drop_idle(self, flow: Flow) -> None:
        if not flow.waiting and not flow.ready:
            self.flows.pop(flow.name, None)

    # --- what may begin, and what may wait in memory

    def is_free(self, lane: Lane, recipients: Sequence[Recipient]) -> bool:
        """Return whether one job for these may begin in this lane now, before any that waits."""
        return (
            not (self.round or self.dispatching or lane.waiting)
            and lane.busy < lane.window.size
            and (not self.process_limit or self.active < self.process_limit)
            and lane.dead is None
            and not lane.not_before
            and (not self.recipient_limit or len(recipients) <= self.recipient_limit)
        )

    def backlog(self, lane: Lane, name: str, room: int) -> Backlog | None:
        """Return where mail of this flow for this lane has to wait; None: in memory.

        ``room`` is how many more messages may be in memory.  Who has one of them parked waits behind it.
        The transport's own backlogs are for mail to many destinations, each with little of it.
        """
        room = max(room, 0)
        if self.waiting * 4 <= room and not lane.parked and not self.parked:
            return None
        if lane.parked.get(name) or _waiting_in(lane, self.flows.get(name)) * 4 > room:
            return _part_of(lane.parked, name)
        if lane.parked.get("") or lane.waiting > room:
            return _part_of(lane.parked, "")
        if self.process_limit and self.active >= self.process_limit:
            flow = self.flows.get(name)
            if self.parked.get(name) or (flow is not None and flow.waiting * 4 > room):
                return _part_of(self.parked, name)
            if self.parked.get("") or self.waiting > 3 * room:
                return _part_of(self.parked, "")
        return None

    def hungry(self, lane: Lane, names: Iterable[str], room: int) -> list[Backlog]:
        """Return which backlogs of these flows have to be called back: little of theirs is in memory."""
        found = []
        for name in names:
            flow = self.flows.get(name)
            few = min(_FEW, room // 4 + 1)
            waiting = _waiting_in(lane, flow) if name else lane.waiting
            if self._is_hungry(lane.parked, name, waiting < few):
                found.append(lane.parked[name])
            waiting = (flow.waiting if flow is not None else 0) if name else self.waiting
            # Where no flow is in the round, all that waits in memory is for busy lanes.
            if self._is_hungry(self.parked, name, waiting < few or not self.round):
                found.append(self.parked[name])
        return found

    def _is_hungry(self, parked: dict[str, Backlog], name: str, little: bool) -> bool:
        backlog = parked.get(name)
        if backlog is None or backlog.asked:
            return False
        if not backlog:
            del parked[name]
            return False
        return little

    def _forget(self, now: float) -> None:
        """Forget idle lanes; one that is dead or rests is kept until that is over."""
        for key, lane in list(self.lanes.items()):
            if not (lane.waiting or lane.busy or lane.not_before or lane.parked) and (
                lane.dead is None or lane.dead_until <= now
            ):
                del self.lanes[key]
        # Where few could be forgotten, not every new destination looks through all of them.
        self._most = max(_IDLE_LANES, 2 * len(self.lanes))


def _waiting_in(lane: Lane, flow: Flow | None) -> int:
    return len(lane.lines.get(flow, ())) if flow is not None else 0


def _part_of(parked: dict[str, Backlog], name: str) -> Backlog:
    backlog = parked.get(name)
    if backlog is None:
        backlog = parked[name] = Backlog()
    return backlog


def _part(limit: int, share: int) -> int:
    return max(1, -(-limit // share)) if limit else 0
