"""One transport: its agent, its limits, and a round of destinations that have something to send."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from postroad.base.params import Settings
from postroad.model.job import Attempt
from postroad.model.message import Recipient
from postroad.model.ports import Agent
from postroad.scheduler.feedback import Law, parse_feedback
from postroad.scheduler.lane import Lane
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


class TransportLanes:
    """The lanes of one transport.

    ``share`` is the number of workers that share the server's limits: each obeys its part, at
    least one, and rests so many times destination_rate_delay.  ``process_limit`` is our part of
    master.cf's maxproc, the most deliveries at one time.
    """

    def __init__(
        self, name: str, agent: Agent, settings: Settings, process_limit: int, share: int = 1
    ) -> None:
        self.name = name
        self.lanes: dict[str, Lane] = {}
        self.round: deque[Lane] = deque()  # lanes with work that may begin
        self.active = 0
        self.dispatching = False  # its jobs are being begun: one that is reported at once waits
        self._most = _IDLE_LANES
        self.configure(agent, settings, process_limit, share)

    def configure(self, agent: Agent, settings: Settings, process_limit: int, share: int) -> None:
        """Obey these settings from now on; lanes keep their mail and their windows."""
        self.agent = agent
        self.process_limit = process_limit
        self.recipient_limit = settings.transport(RECIPIENTS, self.name)
        self.rate_delay = settings.transport(RATE_DELAY, self.name) * share
        limit = settings.transport(CONCURRENCY, self.name)
        if self.rate_delay:
            limit = 1  # Postfix: a rate delay means one delivery at a time
        self.law = Law(
            _part(limit, share),
            _part(settings.transport(INITIAL, self.name), share),
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

    def put(self, lane: Lane, attempt: Attempt, recipients: Sequence[Recipient]) -> None:
        """Queue the recipients of one message for a destination, in jobs of recipient_limit."""
        most = self.recipient_limit
        if most and len(recipients) > most:
            for at in range(0, len(recipients), most):
                lane.put(attempt, recipients[at : at + most])
                attempt.pending += 1
        else:
            lane.put(attempt, recipients)
            attempt.pending += 1
        self.wake(lane)

    def wake(self, lane: Lane) -> None:
        """Let the lane take part in the round, if it may begin a job."""
        if not lane.ready and lane.waiting and lane.busy < lane.window.size:
            lane.ready = True
            self.round.append(lane)

    def is_free(self, lane: Lane, now: float) -> bool:
        """Return whether a job for this lane may begin now, before any that waits."""
        return (
            not (self.round or self.dispatching or lane.waiting)
            and lane.busy < lane.window.size
            and (not self.process_limit or self.active < self.process_limit)
            and lane.dead is None
            and lane.not_before <= now
        )

    def carries_at_once(self, recipients: Sequence[Recipient]) -> bool:
        """Return whether recipient_limit lets one job have all of these."""
        return not self.recipient_limit or len(recipients) <= self.recipient_limit

    @property
    def has_room(self) -> bool:
        """Return whether a lane waits for its turn and a further delivery is allowed."""
        return bool(self.round) and (not self.process_limit or self.active < self.process_limit)

    def next_lane(self, now: float) -> Lane | None:
        """Return a lane that may begin a job now; each in its turn.  None when there is none."""
        for _ in range(len(self.round)):
            lane = self.round.popleft()
            lane.ready = False
            if not lane.waiting or lane.busy >= lane.window.size or lane.not_before > now:
                continue
            return lane
        return None

    def _forget(self, now: float) -> None:
        """Forget idle lanes; one that is dead or rests is kept until that is over."""
        for key, lane in list(self.lanes.items()):
            if not (lane.waiting or lane.busy or lane.not_before > now) and (
                lane.dead is None or lane.dead_until <= now
            ):
                del self.lanes[key]
        # Where few could be forgotten, not every new destination looks through all of them.
        self._most = max(_IDLE_LANES, 2 * len(self.lanes))


def _part(limit: int, share: int) -> int:
    return max(1, -(-limit // share)) if limit else 0
