"""The scheduler: what is due becomes jobs, and every message that has had its attempt is settled.

It knows nothing of addresses, protocols or databases.  In memory is only what is being delivered
(at most ``qmgr_message_active_limit``); what waits for another attempt is in the store.  The cost
of a message does not depend on how many wait.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from functools import partial

from postroad.base import tasks
from postroad.base.clock import Clock
from postroad.base.log import Event, Log
from postroad.base.params import Settings
from postroad.mail.address import split, split_extension
from postroad.model.job import Attempt, Job
from postroad.model.message import Message, Recipient, Text
from postroad.model.outcome import Outcome
from postroad.model.params import MINIMAL_BACKOFF_TIME, QUEUE_RUN_DELAY, RECIPIENT_DELIMITER
from postroad.model.ports import Outcomes, Router, Store
from postroad.model.route import Route
from postroad.scheduler.claims import Claims
from postroad.scheduler.lane import Lane
from postroad.scheduler.params import ACTIVE_LIMIT, DEFAULT_FILTER_NEXTHOP, DEFER_TRANSPORTS
from postroad.scheduler.refusals import SILENT, suspended, unroutable
from postroad.scheduler.transport import TransportLanes

ACTIVE = Event("qmgr", "%s: from=<%s>, size=%d, nrcpt=%d (queue active)", "A message is being delivered.")
MEMORY_LIMIT = 64 << 20  # bytes of contents kept in memory; beyond, they are read back when needed


class Scheduler:
    """Takes accepted messages, claims deferred ones, and hands jobs to agents."""

    def __init__(
        self,
        *,
        store: Store,
        router: Router,
        transports: Mapping[str, TransportLanes],
        outcomes: Outcomes,
        settings: Settings,
        log: Log,
        clock: Clock,
    ) -> None:
        self._store = store
        self._log = log
        self._clock = clock
        self._active: dict[int, Attempt] = {}
        self._memory = 0
        self._claims = Claims(store, clock, log, self._room, self.add)
        self._stopping = False
        self._idle: asyncio.Event | None = None
        self.transports: dict[str, TransportLanes] = {}
        self.configure(router, transports, outcomes, settings)

    def configure(self, router: Router, transports: Mapping[str, TransportLanes], outcomes: Outcomes, settings: Settings) -> None:  # fmt: skip  # noqa: E501
        """Obey these from now on.  ``transports`` of a name that is known must be the same object."""
        former, self.transports = self.transports, dict(transports)
        self._router = router
        self._outcomes = outcomes
        self._limit = settings[ACTIVE_LIMIT]
        suspended = settings[DEFER_TRANSPORTS]
        self._suspended = frozenset(suspended)
        self._filter_nexthop = settings[DEFAULT_FILTER_NEXTHOP]
        self._dead_time = settings[MINIMAL_BACKOFF_TIME]
        self._claims.run_delay = settings[QUEUE_RUN_DELAY]
        self._delimiter = settings[RECIPIENT_DELIMITER]
        for name, lanes in former.items():
            if name not in self.transports or name in self._suspended:
                self._place_again(lanes)

    def _place_again(self, transport: TransportLanes) -> None:
        """Defer what waits for a transport that is gone, or suspended: nothing would ever take it."""
        for lane in list(transport.lanes.values()):
            for attempt, recipients in lane.drain():
                self._place(attempt, transport.name, lane.nexthop, recipients)
                self._one_done(attempt)

    # --- what comes in

    def start(self) -> None:
        """Look through the queue now, and then every queue_run_delay."""
        self._claims.run()

    def _room(self) -> int:
        return self._limit - len(self._active)

    def add(self, message: Message) -> None:
        """Deliver a message that was just accepted, or claimed, and is leased to us."""
        if message.key in self._active:
            return
        if self._stopping or message.held:
            return  # the lease goes back when the store closes
        if self._room() <= 0:
            self._claims.put_back(message)
            return
        wall = self._clock.now()
        attempt = Attempt(message, self._clock.steady(), wall)
        self._active[message.key] = attempt
        content = message.content
        if content is not None and content.data is not None:
            self._memory += content.size
            if self._memory > MEMORY_LIMIT:
                self._memory -= content.size
                message.content = None
        recipients = message.open_recipients()
        message.attempts += 1
        self._log.emit(ACTIVE, message.id, message.sender, message.size, len(recipients))
        if message.attributes.get("expired"):
            attempt.pending = 1
            self._abandon(attempt, recipients)
            return
        if "content_filter" in message.attributes:
            self._filter(attempt, recipients, message.attributes["content_filter"])
            return
        if len(recipients) == 1:
            route = self._router.remembered(recipients[0].address)
            if route is not None:
                self._routed(attempt, recipients, route, None)
                return
            tasks.start(
                self._router.route(recipients[0].address, message.sender),
                lambda route, error: self._routed(attempt, recipients, route, error),
            )
        else:
            tasks.start(
                self._route_all(attempt, recipients), lambda _none, error: self._all_routed(attempt, error)
            )

    def _abandon(self, attempt: Attempt, recipients: Sequence[Recipient]) -> None:
        """Return a message that an operator has expired: no attempt is made."""
        for recipient in recipients:
            outcome = Outcome("4.7.0", recipient.reason or "message was expired by force", "none")
            self._refuse(attempt, [recipient], "retry", "", outcome)
        self._one_done(attempt)

    # --- routing

    def _routed(self, attempt: Attempt, recipients: Sequence[Recipient], route: Route | None, error: BaseException | None) -> None:  # fmt: skip  # noqa: E501
        attempt.pending += 1  # so that it is not finished while it is being laid out
        if route is None:
            self._refuse(attempt, recipients, "error", "", unroutable(error))
        else:
            self._place(attempt, route.transport, route.nexthop, recipients)
        self._one_done(attempt)

    def _filter(self, attempt: Attempt, recipients: Sequence[Recipient], place: str) -> None:
        """Hand a message to its content filter, ``transport:nexthop``, whatever the router would say.

        Without a next hop it is default_filter_nexthop, or each recipient's domain.
        """
        attempt.pending += 1
        transport, _, nexthop = place.partition(":")
        nexthop = nexthop or self._filter_nexthop
        groups: dict[str, list[Recipient]] = {}
        for recipient in recipients:
            groups.setdefault(nexthop or recipient.address.rpartition("@")[2].lower(), []).append(recipient)
        for each, group in groups.items():
            self._place(attempt, transport, each, group)
        self._one_done(attempt)

    async def _route_all(self, attempt: Attempt, recipients: Sequence[Recipient]) -> None:
        attempt.pending += 1
        places: dict[tuple[str, str], list[Recipient]] = {}
        for recipient in recipients:
            try:
                route = await self._router.route(recipient.address, attempt.message.sender)
            except Exception as error:  # noqa: BLE001 - any failure to look defers this recipient alone
                self._refuse(attempt, [recipient], "error", "", unroutable(error))
                continue
            places.setdefault((route.transport, route.nexthop), []).append(recipient)
        for (transport, nexthop), group in places.items():
            self._place(attempt, transport, nexthop, group)

    def _all_routed(self, attempt: Attempt, error: BaseException | None) -> None:
        if error is not None:
            self._log.error("qmgr", f"{attempt.message.id}: routing failed: {error!r}")
        self._one_done(attempt)

    def _place(self, attempt: Attempt, name: str, nexthop: str, recipients: Sequence[Recipient]) -> None:
        if self._stopping or attempt.interrupted:
            attempt.interrupted = True  # it was being routed when that was said
            return
        transport = self.transports.get(name)
        if transport is None:
            self._log.warning("qmgr", f"connect to transport private/{name}: no such service in master.cf")
            self._refuse(
                attempt, recipients, "error", nexthop, Outcome("4.3.0", "mail transport unavailable")
            )
            return
        if name in self._suspended:
            self._refuse(attempt, recipients, "retry", nexthop, Outcome("4.3.2", "deferred transport"))
            return
        now = self._clock.steady()
        if transport.recipient_limit == 1:
            # qmgr(8): a transport that takes one recipient at a time has a lane for each of them.
            for recipient in recipients:
                lane = transport.lane(nexthop, now, self._lane_name(recipient.address, nexthop))
                self._put(transport, lane, attempt, [recipient], now)
        else:
            self._put(transport, transport.lane(nexthop, now), attempt, recipients, now)
        if transport.round:
            self._dispatch(transport)

    def _put(self, transport: TransportLanes, lane: Lane, attempt: Attempt, recipients: Sequence[Recipient], now: float) -> None:  # fmt: skip  # noqa: E501
        if transport.is_free(lane, now) and transport.carries_at_once(recipients):
            # As if it were put into the lane and dispatched: nobody waits whose turn is before.
            attempt.pending += 1
            transport.dispatching = True
            try:
                self._begin(transport, lane, attempt, recipients, now)
            finally:
                transport.dispatching = False
            return
        if lane.dead is not None:
            if lane.dead_until > now:
                self._refuse(attempt, recipients, "retry", lane.nexthop, suspended(lane.dead))
                return
            lane.revive()
        transport.put(lane, attempt, recipients)

    def _lane_name(self, address: str, nexthop: str) -> str:
        """Return the name of a recipient's lane: all its extensions share it."""
        local, _domain = split(address)
        if self._delimiter:
            local, _extension = split_extension(local, self._delimiter)
        return f"{local}@{nexthop}"

    def _refuse(self, attempt: Attempt, recipients: Sequence[Recipient], name: str, nexthop: str, outcome: Outcome) -> None:  # fmt: skip  # noqa: E501
        """Give recipients an outcome without asking an agent."""
        job = Job(attempt.message, recipients, name, nexthop, _NOTHING)
        job.attempt = attempt
        job.begun = self._clock.steady()
        job.all(outcome)
        self._outcomes.report(job)

    # --- jobs

    def _dispatch(self, transport: TransportLanes) -> None:
        """Begin every job that may begin.  An agent that reports at once does not recurse."""
        if transport.dispatching:
            return
        transport.dispatching = True
        try:
            while transport.has_room:
                now = self._clock.steady()
                lane = transport.next_lane(now)
                if lane is None:
                    return
                attempt, recipients = lane.take()
                self._begin(transport, lane, attempt, recipients, now)
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
        if lane.waiting:
            transport.wake(lane)
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

    def _rest(self, transport: TransportLanes, lane: Lane) -> None:
        """Begin destination_rate_delay: it is between the end of a delivery and the next."""
        lane.not_before = self._clock.steady() + transport.rate_delay
        asyncio.get_running_loop().call_later(transport.rate_delay, self._rested, transport, lane)

    def _rested(self, transport: TransportLanes, lane: Lane) -> None:
        lane.not_before = 0.0  # the loop's timers may be a little early by our clock
        transport.wake(lane)
        self._dispatch(transport)

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
            self._declare_dead(lane, job.site_failure)
        if transport.rate_delay:
            self._rest(transport, lane)
        if lane.waiting:
            transport.wake(lane)
        self._outcomes.report(job)
        job.attempt = None
        if job.new_messages:
            attempt.new_messages += job.new_messages
        if attempt.pending > 1 and not attempt.new_messages and not attempt.succeeded and not attempt.failed:
            # Others of its recipients may take long.  What still has to be queued with the settlement
            # (forwards, notices) keeps its recipients open until then.
            self._store.progress(attempt.message)
        self._one_done(attempt)
        if transport.round:
            self._dispatch(transport)

    def _declare_dead(self, lane: Lane, outcome: Outcome) -> None:
        lane.dead = outcome
        lane.dead_until = self._clock.steady() + self._dead_time
        refusal = suspended(outcome)
        for attempt, recipients in lane.drain():
            self._refuse(attempt, recipients, "retry", lane.nexthop, refusal)
            self._one_done(attempt)

    def _one_done(self, attempt: Attempt) -> None:
        attempt.pending -= 1
        if attempt.pending == 0:
            self._outcomes.finish(attempt, partial(self._finished, attempt))

    def _finished(self, attempt: Attempt, notices: Sequence[Message]) -> None:
        message = attempt.message
        self._active.pop(message.key, None)
        content = message.content
        if content is not None and content.data is not None:
            self._memory -= content.size
        for notice in notices:
            self.add(notice)
        if len(self._active) <= self._limit // 2:
            self._claims.go_on()
        if self._idle is not None and not self._active:
            self._idle.set()

    def flush(self) -> None:
        """Look through the queue now, and give dead destinations another chance."""
        for transport in self.transports.values():
            for lane in transport.lanes.values():
                if lane.dead is not None:
                    lane.revive()
        self._claims.run()

    # --- looking and stopping

    def __len__(self) -> int:
        return len(self._active)

    def withdraw(self, keys: Iterable[int]) -> None:
        """Begin no more deliveries of these messages: they were deleted, or put on hold."""
        for key in keys:
            attempt = self._active.get(key)
            if attempt is not None:
                attempt.interrupted = True
        for transport in self.transports.values():
            for lane in list(transport.lanes.values()):
                if lane.waiting:
                    for attempt, _recipients in lane.sift():
                        self._one_done(attempt)

    async def drain(self, seconds: float) -> None:
        """Begin nothing new, and wait until jobs under way have ended, at most ``seconds``."""
        self._stopping = True
        self._claims.stop()
        for transport in self.transports.values():
            for lane in list(transport.lanes.values()):
                for attempt, _recipients in lane.drain():
                    attempt.interrupted = True
                    self._one_done(attempt)
        if self._active:
            self._idle = asyncio.Event()
            try:
                async with asyncio.timeout(seconds):
                    await self._idle.wait()
            except TimeoutError:
                self._log.warning(
                    "qmgr", f"stopped with {len(self._active)} deliveries under way; they will be tried again"
                )


_NOTHING = Text(b"")  # stands for a content that is not needed
