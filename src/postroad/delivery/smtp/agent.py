"""The SMTP and LMTP client: takes jobs, and has them carried to where they go."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from postroad.base import tasks
from postroad.base.clock import Clock
from postroad.base.log import Log
from postroad.base.params import Settings
from postroad.base.wheel import Wheel
from postroad.delivery.smtp.attempt import Attempt, Hosts
from postroad.delivery.smtp.connection import Connection
from postroad.delivery.smtp.context import UNEXPECTED, ClientContext
from postroad.delivery.smtp.dial import Dialer
from postroad.delivery.smtp.filtered import ReplyFilter
from postroad.delivery.smtp.lane import Lane
from postroad.delivery.smtp.parcel import Carrier, Parcel, Report
from postroad.delivery.smtp.security import Security
from postroad.model.job import Job

PassOn = Callable[[Job, str, Report], None]

#: How long a message waits for a busy connection before it gets one of its own, in seconds.
_PATIENCE = 0.1
_POLICY_AGE = 1.0  # seconds
_FORGET_ABOVE = 1000  # lanes


class SmtpAgent:
    """An agent (``model.ports.Agent``) for one service of master.cf.

    ``program`` is smtp or lmtp and says which parameters count; ``transport`` is the service's name.
    ``hosts`` finds the hosts of a next hop and raises NoHosts.  ``own`` are the addresses of
    inet_interfaces.  ``pass_on(job, transport, report)`` hands a job to best_mx_transport; without
    it such mail is deferred.  ``security`` is what is asked of connections, None for nothing.
    ``reply_filter`` is asked about each line that a server says.
    """

    gathers = 1

    def __init__(
        self,
        settings: Settings,
        *,
        transport: str,
        program: str,
        hosts: Hosts,
        log: Log,
        clock: Clock,
        wheel: Wheel,
        loop: asyncio.AbstractEventLoop,
        own: Sequence[str] = (),
        pass_on: PassOn | None = None,
        security: Security | None = None,
        reply_filter: ReplyFilter | None = None,
    ) -> None:
        self.transport = transport
        self._context = ClientContext(settings, program, log, clock, wheel, loop)
        if security is not None and not security.never:
            self._context.security = security
            if security.logins is not None and security.logins.by_sender:
                self._context.keep_none()
        self._now = clock.steady
        self._dialer = Dialer(self._context, own, reply_filter)
        self._hosts = hosts
        self._pass_on = pass_on
        self._context.passes_on = pass_on is not None
        self._lanes: dict[str, Lane] = {}
        self._forget_above = _FORGET_ABOVE
        self._watched: set[Lane] = set()  # those where mail waits
        self._timer: asyncio.TimerHandle | None = None

    def deliver(self, job: Job, report: Report) -> None:
        """Try to deliver; ``report(job)`` when every recipient has its outcome.

        A message for a next hop with an idle connection is written at once, without a task.  While
        mail flows fast, it waits a moment for a busy connection, to share a write with the content
        of the message before.
        """
        now = self._now()
        lane = self._lanes.get(job.nexthop) or self._new_lane(job.nexthop)
        if self._context.security is not None:
            lane = self._with_its_policy(lane, now, self._context.security)
        lane.arrived(now)
        parcel = Parcel(job, report, now, self._carried)
        if not lane.has_room() or self._context.closing:
            self._send(lane, parcel, now)
            return
        lane.waiting.append(parcel)
        if len(lane.waiting) == 1:
            self._watch(lane)

    def _send(self, lane: Lane, parcel: Parcel, now: float) -> None:
        """Send over an idle connection, or else over a new one."""
        while lane.idle:
            connection = lane.idle.pop()
            if connection.usable(now):
                connection.begin(parcel)
                return
            connection.quit()
        self._attempt(lane, parcel, None)

    async def close(self) -> None:
        """End idle connections; jobs under way end by themselves, and their connections with them."""
        self._context.closing = True
        for lane in self._lanes.values():
            idle, lane.idle = lane.idle, []
            for connection in idle:
                connection.quit()

    # --- lanes

    def _new_lane(self, nexthop: str) -> Lane:
        if len(self._lanes) >= self._forget_above:
            self._lanes = {name: lane for name, lane in self._lanes.items() if not lane.empty}
            self._forget_above = max(_FORGET_ABOVE, 2 * len(self._lanes))
        always = self._always_keeps(nexthop)
        lane = self._lanes[nexthop] = Lane(nexthop, on_demand=self._context.keeps, always=always)
        return lane

    def _with_its_policy(self, lane: Lane, now: float, security: Security) -> Lane:
        """Return a lane whose connections satisfy the policy as it is now; at most once a second it is asked.

        Tables do not look at their files more often either.
        """
        if (lane.idle or lane.active) and now - lane.minded >= _POLICY_AGE:
            lane.minded = now
            tasks.start(self._mind_policy(lane, security), self._minded)
        return self._lanes.get(lane.nexthop) or self._new_lane(lane.nexthop)

    async def _mind_policy(self, lane: Lane, security: Security) -> None:
        known = lane.policy
        if known is None or await security.holds(*known):
            return
        if self._lanes.get(lane.nexthop) is lane:
            del self._lanes[lane.nexthop]
        self._watched.discard(lane)
        for parcel in lane.retire():
            self._attempt(lane, parcel, None)

    def _minded(self, _: None, error: BaseException | None) -> None:
        if error is not None:
            self._context.emit(UNEXPECTED, self.transport, error)

    def _always_keeps(self, nexthop: str) -> bool:
        always = self._context.always_keeps
        if not always:
            return False
        name = nexthop.removeprefix("unix:").removeprefix("inet:").lower()
        bare = name[1:].partition("]")[0] if name.startswith("[") else name.partition(":")[0]
        return name in always or bare in always

    def _watch(self, lane: Lane) -> None:
        self._watched.add(lane)
        if self._timer is None:
            self._timer = self._context.loop.call_later(_PATIENCE, self._look_at_waiting)

    def _look_at_waiting(self) -> None:
        """Give messages that have waited long enough connections of their own."""
        self._timer = None
        now = self._now()
        late = now - _PATIENCE
        for lane in list(self._watched):
            while lane.waiting and (lane.waiting[0].begun <= late or not lane.active):
                self._send(lane, lane.waiting.popleft(), now)
            if not lane.waiting:
                self._watched.discard(lane)
        if self._watched:
            self._timer = self._context.loop.call_later(_PATIENCE, self._look_at_waiting)

    # --- parcels

    def _carried(self, parcel: Parcel, carrier: Carrier) -> None:
        """A kept connection has done with a parcel, for good or ill."""
        assert isinstance(carrier, Connection)
        lane = carrier.lane
        if parcel.untouched:
            self._attempt(lane, parcel, None)  # the connection was dead: that is nobody's failure
        elif (
            lane.alternatives and not parcel.delivered and parcel.soft(bounces_too=self._context.soft_bounce)
        ):
            self._attempt(lane, parcel, carrier)
        else:
            parcel.settle()
            if parcel.site_failure is not None:
                parcel.job.site_failure = parcel.site_failure
            self._end(lane, parcel)

    def _attempt(self, lane: Lane, parcel: Parcel, carrier: Carrier | None) -> None:
        attempt = Attempt(self._context, lane, parcel, self._hosts, self._dialer, self._attempted)
        if carrier is not None:
            attempt.after(carrier)
        tasks.spawn(attempt.run(), f"{self._context.program} to {lane.nexthop}")

    def _attempted(self, attempt: Attempt) -> None:
        job = attempt.parcel.job
        job.site_failure = attempt.site_failure
        if attempt.elsewhere:
            attempt.lane.done(self._now())
            assert self._pass_on is not None
            self._pass_on(job, attempt.elsewhere, attempt.parcel.report)
            return
        self._end(attempt.lane, attempt.parcel)

    def _end(self, lane: Lane, parcel: Parcel) -> None:
        lane.done(self._now())
        parcel.report(parcel.job)
