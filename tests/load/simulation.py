"""The scheduler in a world of its own: time passes from event to event, so waits are exact."""

import asyncio
import heapq
from itertools import count

from postroad.base.clock import TestClock
from postroad.base.log import Log, Sink
from postroad.base.params import settings_of
from postroad.model.message import Message, Recipient, Text
from postroad.model.outcome import Outcome
from postroad.model.params import params as model_params
from postroad.model.queue import Settlement
from postroad.model.route import AddressClass, Route
from postroad.scheduler.params import params as scheduler_params
from postroad.scheduler.scheduler import Scheduler
from postroad.scheduler.transport import TransportLanes

OK = Outcome("2.0.0", "ok", "h[1]:25")
CONTENT = b"x\r\n"


class Queue:
    """The store: what is queued, and when each recipient was delivered to."""

    def __init__(self):
        self.queued = {}
        self.due = []
        self.found = 0

    async def find(self, keys):
        self.found += len(keys)
        return [_message(*self.queued[key]) for key in keys if key in self.queued]

    async def claim(self, *, now, most):
        keys, self.due = self.due[:most], self.due[most:]
        return [_message(*self.queued[key]) for key in keys]

    def content(self, message):
        return Text(CONTENT)

    def progress(self, message): ...

    def settle(self, settlement, then):
        key = settlement.message.key
        _, sender, _, arrival = self.queued[key]
        left = [recipient.address for recipient in settlement.message.open_recipients()]
        if left:
            self.queued[key] = (key, sender, left, arrival)
            self.due.append(key)
        else:
            del self.queued[key]
        then(None)


def _message(key, sender, addresses, arrival):
    return Message(key, sender, [Recipient(address) for address in addresses], arrival)


class World:
    """``seconds`` are what one delivery takes, by domain; others take ``other`` seconds."""

    gathers = 1

    def __init__(self, seconds, other=0.1, processes=100, **texts):
        self.clock = TestClock(0.0)
        self.queue = Queue()
        self.seconds, self.other = seconds, other
        self.delivered = {}  # address: (arrival, time)
        self.most_active = 0
        self._events = []
        self._numbers = count()
        settings = settings_of([model_params, scheduler_params], **texts)
        self.lanes = TransportLanes("smtp", self, settings, processes)
        self.scheduler = Scheduler(
            store=self.queue,
            router=self,
            transports={"smtp": self.lanes},
            outcomes=self,
            settings=settings,
            log=Log(Sink()),
            clock=self.clock,
        )

    # --- the ports

    def remembered(self, address):
        return "smtp", address.rpartition("@")[2]

    async def route(self, address, sender):
        return Route(*self.remembered(address), address, AddressClass.DEFAULT)

    def deliver(self, job, report):
        self.at(self.clock.time + self.seconds.get(job.nexthop, self.other), self._ended, job, report)

    def _ended(self, job, report):
        job.all(OK)
        report(job)

    def report(self, job):
        for recipient in job.recipients:
            assert recipient.address not in self.delivered
            self.delivered[recipient.address] = (job.message.arrival, self.clock.time)
            recipient.done = True

    def finish(self, attempt, then):
        self.queue.settle(Settlement(attempt.message, 0.0), lambda _error: then([]))

    # --- what happens

    def at(self, time, what, *values):
        heapq.heappush(self._events, (time, next(self._numbers), what, values))

    def send(self, sender, *addresses):
        """Accept a message now."""
        key = next(self._numbers) + 1
        self.queue.queued[key] = (key, sender, addresses, self.clock.time)
        message = _message(*self.queue.queued[key])
        message.content = Text(CONTENT)
        message.size = len(CONTENT)
        self.scheduler.add(message)

    async def run(self, until=float("inf")):
        """Let time pass until nothing is left to happen, or for so long."""
        while True:
            while self._events and self._events[0][0] <= until:
                self.clock.time, _, what, values = heapq.heappop(self._events)
                what(*values)
                self.most_active = max(self.most_active, len(self.scheduler))
                await asyncio.sleep(0)
            if self._events or not self.queue.due:
                return
            await asyncio.sleep(0.01)  # queue runs pause by the machine's clock

    def waited(self, address):
        """Return the seconds from a recipient's acceptance to its delivery."""
        arrival, end = self.delivered[address]
        return end - arrival
