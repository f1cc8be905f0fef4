"""One log line for each recipient of each attempt, exactly as Postfix's delivery agents write it."""

from __future__ import annotations

from collections.abc import Mapping

from postroad.base.clock import Clock
from postroad.base.log import Event, Log
from postroad.model.job import Attempt, Job
from postroad.model.message import Recipient
from postroad.model.outcome import Outcome
from postroad.outcome.delays import fields

DELIVERY = Event(
    "PROGRAM",
    "%s: to=<%s>%s, relay=%s%s, %s, dsn=%s, status=%s (%s)",
    "What became of one recipient: status=sent, deferred or bounced.  delays= are the seconds before "
    "the queue manager, in it, for the connection, and for the transmission.",
)
_WORDS = {"2": "sent", "4": "deferred", "5": "bounced"}


class DeliveryLog:
    """Writes delivery lines.  ``programs`` has the program and the Log of each transport."""

    __slots__ = ("_clock", "_digits", "_log", "_programs")

    def __init__(self, log: Log, clock: Clock, programs: Mapping[str, tuple[str, Log]], digits: int) -> None:
        self._log = log
        self._clock = clock
        self._programs = programs
        self._digits = digits

    def line(self, attempt: Attempt, job: Job, recipient: Recipient, outcome: Outcome, *, soft: bool = False) -> None:  # fmt: skip  # noqa: E501
        """Note what became of one recipient; ``soft``: soft_bounce keeps it from bouncing."""
        program, log = self._programs.get(job.transport) or ("error", self._log)
        since_entered = self._clock.steady() - attempt.entered
        before = attempt.wall - job.message.arrival
        waited = job.begun - attempt.entered
        setup = outcome.setup
        transfer = outcome.transfer or max(0.0, since_entered - waited - setup)
        total = before + since_entered if before > 0 else since_entered
        original = recipient.original
        origin = ""
        if original != recipient.address and original.lower() != recipient.address.lower():
            origin = f", orig_to=<{original}>"
        status = outcome.status
        word = _WORDS[status[0]]
        if soft:
            status, word = "4" + status[1:], "SOFTBOUNCE"
        reused = f", conn_use={outcome.reused}" if outcome.reused > 1 else ""
        times = fields(total, before, waited, setup, transfer, self._digits)
        who = (job.message.id, recipient.address, origin, outcome.relay, reused)
        log.line(program, DELIVERY.text % (*who, times, status, word, outcome.text))
