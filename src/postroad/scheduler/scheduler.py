"""The scheduler: what is due becomes jobs, and every message that has had its attempt is settled.

It knows nothing of addresses, protocols or databases.  In memory is only what is being delivered
(at most ``qmgr_message_active_limit``); what waits for another attempt is in the store, and of mail
that has to wait for its first the ids are kept (``backlog``).  The cost of a message does not depend on
how many wait.
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
from postroad.model.job import Attempt
from postroad.model.message import Message, Recipient
from postroad.model.outcome import Outcome
from postroad.model.params import MINIMAL_BACKOFF_TIME, QUEUE_RUN_DELAY, RECIPIENT_DELIMITER
from postroad.model.ports import Outcomes, Router
from postroad.model.queue import Store
from postroad.model.route import Route
from postroad.scheduler.backlog import Backlog
from postroad.scheduler.claims import Claims
from postroad.scheduler.jobs import Jobs
from postroad.scheduler.params import ACTIVE_LIMIT, DEFER_TRANSPORTS
from postroad.scheduler.places import FilterRules, Places, follow, routed_places
from postroad.scheduler.recall import Recall
from postroad.scheduler.refusals import unroutable
from postroad.scheduler.transport import TransportLanes

ACTIVE = Event("qmgr", "%s: from=<%s>, size=%d, nrcpt=%d (queue active)", "A message is being delivered.")
MEMORY_LIMIT = 64 << 20  # bytes of contents kept in memory; beyond, they are read back when needed


class Scheduler:
    """Takes accepted messages, claims deferred ones, and has jobs handed to agents."""

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
        self._crowded = False  # somebody waits for room
        self._overflow = Backlog()  # there was no room even to find out where these go
        self._left_out: dict[
            int, tuple[Backlog, int]
        ] = {}  # messages that have to wait; for how many recipients
        self._claims = Claims(store, clock, log, self._room, self.add)
        self._recall = Recall(store, clock, log, self._room, self._enter_again, self._entered_again)
        self._jobs = Jobs(
            store, log, clock, room=self._room, ended=self._one_done, call_back=self._recall.ask
        )
        self._stopping = False
        self._idle: asyncio.Event | None = None
        self.transports: dict[str, TransportLanes] = {}
        self.configure(router, transports, outcomes, settings)

    def configure(self, router: Router, transports: Mapping[str, TransportLanes], outcomes: Outcomes, settings: Settings) -> None:  # fmt: skip  # noqa: E501
        """Obey these from now on.  ``transports`` of a name that is known must be the same object."""
        former, self.transports = self.transports, dict(transports)
        self._router = router
        self._outcomes = self._jobs.outcomes = outcomes
        self._limit = settings[ACTIVE_LIMIT]
        suspended = settings[DEFER_TRANSPORTS]
        self._suspended = frozenset(suspended)
        self._filters = FilterRules.of(settings)
        self._jobs.dead_time = settings[MINIMAL_BACKOFF_TIME]
        self._claims.run_delay = settings[QUEUE_RUN_DELAY]
        self._delimiter = settings[RECIPIENT_DELIMITER]
        for name, lanes in former.items():
            if name not in self.transports or name in self._suspended:
                self._place_again(lanes)

    def _place_again(self, transport: TransportLanes) -> None:
        """Defer what waits for a transport that is gone, or suspended: nothing would ever take it."""
        for lane in list(transport.lanes.values()):
            for attempt, recipients in transport.drain(lane):
                self._place(attempt, transport.name, lane.nexthop, recipients, self._clock.steady())
                self._one_done(attempt)
            self._jobs.give_up(lane.parked)
        self._jobs.give_up(transport.parked)

    # --- what comes in

    def start(self) -> None:
        """Look through the queue now, and then every queue_run_delay."""
        self._claims.run()

    def _room(self) -> int:
        room = self._limit - len(self._active)
        if room <= 0:
            self._crowded = True
        return room

    def add(self, message: Message) -> None:
        """Deliver a message that was just accepted, or claimed, and is leased to us."""
        self._claims.fresh += 1
        if message.key in self._active or self._stopping or message.held:
            return  # the lease goes back when the store closes
        if len(self._active) >= self._limit:
            self._overflow.put(message.key)
            self._crowded = True
            message.content = None
            return
        attempt = Attempt(message, self._clock.steady(), self._clock.now())
        self._active[message.key] = attempt
        content = message.content
        if content is not None and content.data is not None:
            self._memory += content.size
            if self._memory > MEMORY_LIMIT:
                self._memory -= content.size
                message.content = None
        recipients = message.open_recipients()
        message.attempts += 1
        if not self._jobs.recalled or message.key not in self._jobs.recalled:
            self._log.emit(ACTIVE, message.id, message.sender, message.size, len(recipients))
        self._lay_out(attempt, recipients)

    def _enter_again(self, message: Message, backlog: Backlog) -> None:
        """Deliver a message that had to wait, and not there again."""
        self._jobs.recalled[message.key] = backlog
        self._claims.fresh -= 1
        self.add(message)

    def _entered_again(self, backlog: Backlog) -> None:
        """Go on with a backlog, unless it can wait for the next report."""
        if backlog and (backlog is self._overflow or backlog is self._jobs.given_up):
            self._recall.ask(backlog)
        else:
            self._jobs.call_back_all(self.transports.values())

    def _lay_out(self, attempt: Attempt, recipients: Sequence[Recipient]) -> None:
        """Find out where the recipients go, and have them brought there."""
        attempt.pending = 1  # so that it is not finished while it is being laid out
        message = attempt.message
        attributes = message.attributes
        if "expired" in attributes:
            self._abandon(attempt, recipients)
        elif "content_filter" in attributes and (place := self._filters.place_of(attributes)):
            self._all_routed(attempt, len(recipients), self._filters.places(place, recipients), None)
        elif len(recipients) == 1:
            address = recipients[0].address
            known = self._router.remembered(address)
            if known is not None:
                self._place(attempt, *known, recipients, attempt.entered)
                if self._left_out:
                    self._laid_out(attempt, 1)
                else:
                    self._one_done(attempt)
            else:
                then = partial(self._routed, attempt, recipients)
                tasks.start(self._router.route(address, message.sender), then)
        else:
            places_then = partial(self._all_routed, attempt, len(recipients))
            refuse = partial(self._refuse_unroutable, attempt)
            tasks.start(routed_places(self._router, message.sender, recipients, refuse), places_then)

    def _abandon(self, attempt: Attempt, recipients: Sequence[Recipient]) -> None:
        """Return a message that an operator has expired: no attempt is made."""
        for recipient in recipients:
            outcome = Outcome("4.7.0", recipient.reason or "message was expired by force", "none")
            self._jobs.refuse(attempt, [recipient], "retry", "", outcome)
        self._one_done(attempt)

    # --- routing

    def _routed(self, attempt: Attempt, recipients: Sequence[Recipient], route: Route | None, error: BaseException | None) -> None:  # fmt: skip  # noqa: E501
        if route is None:
            self._refuse_unroutable(attempt, recipients[0], error)
        else:
            follow(route, recipients[0])
            self._place(attempt, route.transport, route.nexthop, recipients, self._clock.steady())
        self._laid_out(attempt, 1)

    def _refuse_unroutable(self, attempt: Attempt, recipient: Recipient, error: BaseException | None) -> None:
        self._jobs.refuse(attempt, [recipient], "error", "", unroutable(error))

    def _all_routed(self, attempt: Attempt, total: int, places: Places | None, error: BaseException | None) -> None:  # fmt: skip  # noqa: E501
        if places is None:
            self._log.error("qmgr", f"{attempt.message.id}: routing failed: {error!r}")
        else:
            now = self._clock.steady()
            for (transport, nexthop), group in places.items():
                self._place(attempt, transport, nexthop, group, now)
        self._laid_out(attempt, total)

    def _place(self, attempt: Attempt, name: str, nexthop: str, recipients: Sequence[Recipient], now: float) -> None:  # fmt: skip  # noqa: E501
        if self._stopping or attempt.interrupted:
            attempt.interrupted = True  # it was being routed when that was said
            return
        transport = self.transports.get(name)
        if transport is None:
            self._log.warning("qmgr", f"connect to transport private/{name}: no such service in master.cf")
            outcome = Outcome("4.3.0", "mail transport unavailable")
            self._jobs.refuse(attempt, recipients, "error", nexthop, outcome)
            return
        if name in self._suspended:
            outcome = Outcome("4.3.2", "deferred transport")
            self._jobs.refuse(attempt, recipients, "retry", nexthop, outcome)
            return
        if transport.recipient_limit == 1:
            # qmgr(8): a transport that takes one recipient at a time has a lane for each of them.
            for recipient in recipients:
                lane = transport.lane(nexthop, now, self._lane_name(recipient.address, nexthop))
                backlog = self._jobs.put(transport, lane, attempt, [recipient], now)
                if backlog is not None:
                    self._leave_out(attempt, 1, backlog)
        else:
            lane = transport.lanes.get(nexthop) or transport.lane(nexthop, now)
            backlog = self._jobs.put(transport, lane, attempt, recipients, now)
            if backlog is not None:
                self._leave_out(attempt, len(recipients), backlog)
        if transport.round:
            self._jobs.dispatch(transport)

    def _leave_out(self, attempt: Attempt, count: int, backlog: Backlog) -> None:
        _former, before = self._left_out.get(attempt.message.key, (backlog, 0))
        self._left_out[attempt.message.key] = backlog, before + count

    def _lane_name(self, address: str, nexthop: str) -> str:
        """Return the name of a recipient's lane: all its extensions share it."""
        local, _domain = split(address)
        if self._delimiter:
            local, _extension = split_extension(local, self._delimiter)
        return f"{local}@{nexthop}"

    # --- the end of an attempt

    def _laid_out(self, attempt: Attempt, total: int) -> None:
        """All recipients are where they have to be.  Let a message wait that had no place anywhere.

        Where some recipients had a place, it is settled after them, and tried for the others at once.
        """
        if self._left_out:
            message = attempt.message
            backlog, count = self._left_out.pop(message.key, (None, 0))
            if backlog is not None and count == total:
                backlog.put(message.key)
                self._forget(message)
                message.content = None
                return
            if backlog is not None:
                attempt.interrupted = True
        self._one_done(attempt)

    def _one_done(self, attempt: Attempt) -> None:
        attempt.pending -= 1
        if not attempt.pending:
            self._outcomes.finish(attempt, partial(self._finished, attempt))

    def _forget(self, message: Message) -> None:
        self._active.pop(message.key, None)
        content = message.content
        if content is not None and content.data is not None:
            self._memory -= content.size
        if self._jobs.recalled:
            self._jobs.recalled.pop(message.key, None)

    def _finished(self, attempt: Attempt, notices: Sequence[Message]) -> None:
        self._forget(attempt.message)
        for notice in notices:
            self.add(notice)
        if attempt.interrupted:
            self._claims.wanted = self._crowded = True  # it is due now
        if self._crowded and self._limit - len(self._active) > self._limit // 16:
            self._make_use_of_room()
        if self._idle is not None and not self._active:
            self._idle.set()

    def _make_use_of_room(self) -> None:
        self._crowded = False
        if self._overflow:
            self._recall.ask(self._overflow)
        self._recall.go_on()
        self._claims.go_on()

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
                    for attempt, _recipients in transport.drain(lane, interrupted=True):
                        self._one_done(attempt)
        self._jobs.call_back_all(self.transports.values())

    async def drain(self, seconds: float) -> None:
        """Begin nothing new, and wait until jobs under way have ended, at most ``seconds``."""
        self._stopping = True
        self._claims.stop()
        self._recall.stop()
        for transport in self.transports.values():
            for lane in list(transport.lanes.values()):
                for attempt, _recipients in transport.drain(lane):
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
