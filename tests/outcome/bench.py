from postroad.base.clock import TestClock
from postroad.base.log import ListSink, Log
from postroad.base.params import settings_of
from postroad.model.job import Attempt, Job
from postroad.model.message import Message, Recipient, Text
from postroad.model.params import params as model_params
from postroad.outcome.notices import Notices
from postroad.outcome.outcomes import AttemptOutcomes
from postroad.outcome.params import params as outcome_params


class KeepingStore:
    def __init__(self):
        self.settled = []
        self.error = None

    def settle(self, settlement, then):
        self.settled.append(settlement)
        then(self.error)

    def content(self, message):
        return Text(b"From: a@x\r\nSubject: hi\r\n\r\nbody\r\n")


class Bench:
    """The outcome stage on fakes: ``attempt`` gives each recipient its outcome and settles."""

    def __init__(self, **texts):
        self.settings = settings_of([model_params, outcome_params], myhostname="mx.x", **texts)
        self.clock = TestClock()
        self.sink = ListSink()
        self.log = Log(self.sink)
        self.store = KeepingStore()
        self.keys = iter(range(1000, 2000))
        self.broken = None
        self.notices = Notices(
            self.settings,
            content=self.store.content,
            new_key=lambda: next(self.keys),
            expand=self.expand,
            log=self.log,
            clock=self.clock,
        )
        self.outcomes = AttemptOutcomes(
            self.settings,
            store=self.store,
            notices=self.notices,
            programs={"smtp": ("smtp", self.log)},
            back_off=lambda age: max(300, age),
            log=self.log,
            clock=self.clock,
        )

    async def expand(self, _sender, recipients):
        if self.broken:
            raise self.broken
        return recipients

    def message(self, *recipients, sender="a@x", age=0.0):
        found = [r if isinstance(r, Recipient) else Recipient(r) for r in recipients or ("r@y",)]
        return Message(7, sender, found, self.clock.now() - age, self.store.content(None))

    def attempt(self, message, *outcomes):
        attempt = Attempt(message, self.clock.steady(), self.clock.now())
        job = Job(message, message.open_recipients(), "smtp", "y", message.content)
        job.attempt = attempt
        job.begun = self.clock.steady()
        job.outcomes = list(outcomes)
        self.outcomes.report(job)
        queued = []
        self.outcomes.finish(attempt, queued.extend)
        return queued
