"""One log line for each recipient of each attempt, exactly as Postfix's delivery agents write it."""

from __future__ import annotations

from collections.abc import Mapping

from postroad.base.clock import Clock
from postroad.base.log import Event, Log
from postroad.model.job import Job
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

    def __init__(self, log: Log, clock: Clock, programs: Mapping[str, tuple[str, Log]], digits: int) -> None:
        self._log = log
        self._clock = clock
        self._programs = programs
        self._digits = digits

    def line(self, job: Job, recipient: Recipient, outcome: Outcome, *, soft: bool = False) -> None:
        """Note what became of one recipient; ``soft``: soft_bounce keeps it from bouncing."""
        attempt = job.attempt
        program, log = self._programs.get(job.transport) or ("error", self._log)
        steady = self._clock.steady()
        entered = attempt.entered if attempt is not None else steady
        before = attempt.wall - job.message.arrival if attempt is not None else 0.0
        waited = job.begun - entered
        transfer = outcome.transfer or max(0.0, steady - job.begun - outcome.setup)
        total = max(0.0, before) + steady - entered
        original = recipient.original
        origin = ""
        if original != recipient.address and original.lower() != recipient.address.lower():
            origin = f", orig_to=<{original}>"
        status = outcome.status
        word = _WORDS[status[0]]
        if soft:
            status, word = "4" + status[1:], "SOFTBOUNCE"
        reused = f", conn_use={outcome.reused}" if outcome.reused > 1 else ""
        times = fields(total, before, waited, outcome.setup, transfer, self._digits)
        who = (job.message.id, recipient.address, origin, outcome.relay, reused)
        log.line(program, DELIVERY.text % (*who, times, status, word, outcome.text))
