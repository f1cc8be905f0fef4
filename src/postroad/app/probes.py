"""Probes: what would become of mail for an address, found out without sending any.

A probe goes where mail would go. For SMTP and LMTP it is a job for the transport's agent, which does all
that it does for mail (MX, TLS, logins), and ends behind RCPT or DATA (``smtp_address_verify_target``):
there is no message. Mailboxes and programs are not touched: the tables say which addresses exist.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any, Final

from postroad.app import params as p
from postroad.base.clock import Clock
from postroad.base.errors import LookupUnavailable, StoreUnavailable, TableUnavailable
from postroad.base.log import Event, Log
from postroad.base.params import Param, Settings
from postroad.mail.address import to_external
from postroad.model import params as model
from postroad.model.job import Job
from postroad.model.message import Message, Recipient
from postroad.model.outcome import Fate, Outcome
from postroad.model.ports import Agent, Router
from postroad.model.route import Route
from postroad.model.verification import Deliverability, Verification
from postroad.outcome.delays import fields
from postroad.policy.services import Recipients
from postroad.routing import params as routing

#: Of one next hop, at one time: those who guess addresses must not use it up.
_TOGETHER: Final = 5
#: Seconds for one probe; agents have limits of their own, which end it sooner.
_LONGEST: Final = 900.0
#: An address may stand for many; that some of them are good is known after a few.
_MOST: Final = 5

_TEXT: Final = "%s: to=<%s>, relay=%s, %s, dsn=%s, status=%s (%s)"
_DOC: Final = "What a probe found out about an address."
_EVENTS: Final = {
    program: Event(program, _TEXT, _DOC)
    for program in ("smtp", "lmtp", "virtual", "local", "error", "discard", "pipe")
}
_OVERRIDES: Final[Mapping[Param[Any], Param[Any]]] = {
    model.DEFAULT_TRANSPORT: p.VERIFY_DEFAULT_TRANSPORT,
    model.LOCAL_TRANSPORT: p.VERIFY_LOCAL_TRANSPORT,
    model.RELAY_TRANSPORT: p.VERIFY_RELAY_TRANSPORT,
    model.VIRTUAL_TRANSPORT: p.VERIFY_VIRTUAL_TRANSPORT,
    routing.RELAYHOST: p.VERIFY_RELAYHOST,
    routing.TRANSPORT_MAPS: p.VERIFY_TRANSPORT_MAPS,
    routing.SENDER_DEPENDENT_RELAYHOST_MAPS: p.VERIFY_SENDER_RELAYHOST_MAPS,
    routing.SENDER_DEPENDENT_DEFAULT_TRANSPORT_MAPS: p.VERIFY_SENDER_TRANSPORT_MAPS,
}


def probe_settings(settings: Settings) -> Settings:
    """Return the settings by which probes are routed; the same ones where nothing is different."""
    other = {
        mail.name: settings[probe] for mail, probe in _OVERRIDES.items() if settings[mail] != settings[probe]
    }
    return settings.with_values(other) if other else settings


class NoContent:
    """The content of a probe: there is none, and nobody who is asked about an address needs it."""

    size = 256

    @property
    def data(self) -> bytes | None:
        """Return nothing: it is not in memory."""
        return None

    def pieces(self, size: int = 0) -> Iterator[bytes]:  # noqa: ARG002 - as every content's
        """Fail, when the first is wanted."""
        return iter(_no_content, b"")


def _no_content() -> bytes:
    raise StoreUnavailable("a probe has no content")


class AgentProber:
    """Implements ``model.ports.Prober`` for one set of settings."""

    def __init__(
        self,
        *,
        router: Router,
        recipients: Recipients,
        expand: Callable[[str, list[Recipient]], Awaitable[list[Recipient]]],
        agents: Mapping[str, Agent],
        programs: Mapping[str, tuple[str, Log]],
        new_key: Callable[[], int],
        clock: Clock,
    ) -> None:
        self._router = router
        self._recipients = recipients
        self._expand = expand
        self._agents = agents
        self._programs = programs
        self._new_key = new_key
        self._clock = clock
        self._turns: dict[tuple[str, str], tuple[asyncio.Semaphore, int]] = {}

    async def probe(self, address: str, sender: str) -> Verification:
        """See the port.  An address that stands for several is good if one of them is."""
        try:
            refusal = await self._recipients.refuse(address)
            recipients = await self._expand(sender, [Recipient(address)])
        except (TableUnavailable, LookupUnavailable):
            return Verification(Deliverability.UNKNOWN, "address resolver failure")
        if refusal is not None:
            why = refusal.text.partition(" rejected: ")[2] or refusal.text
            good = Deliverability.UNKNOWN if refusal.code < 500 else Deliverability.BAD
            return Verification(good, why)
        found = Verification(Deliverability.UNKNOWN, "address resolver failure")
        for recipient in recipients[:_MOST]:
            found = await self._probe_one(recipient.address, sender)
            if found.state is Deliverability.GOOD:
                break
        return found

    async def _probe_one(self, address: str, sender: str) -> Verification:
        begun = self._clock.steady()
        try:
            route = await self._router.route(address, sender)
        except TableUnavailable:
            return Verification(Deliverability.UNKNOWN, "address resolver failure")
        program, log = self._programs.get(route.transport, ("", None))
        message = self._message(address, sender)
        if log is None:
            return Verification(Deliverability.UNKNOWN, "mail transport unavailable")
        if program in ("smtp", "lmtp", "error", "discard"):
            outcome = await self._in_turn(route, message)
        else:
            outcome = Outcome(
                "2.0.0", f"delivers to {'command' if program == 'pipe' else 'mailbox'}", program
            )
        self._log(log, program, message, outcome, begun)
        return Verification(_STATES[outcome.fate], outcome.text)

    def _message(self, address: str, sender: str) -> Message:
        message = Message(self._new_key(), sender, [Recipient(address)], self._clock.now())
        message.smtputf8 = not (address.isascii() and sender.isascii())
        return message

    async def _in_turn(self, route: Route, message: Message) -> Outcome:
        """Ask an agent, once fewer than the others are asking for the same next hop."""
        key = route.transport, route.nexthop
        turn, users = self._turns.get(key, (None, 0))
        turn = turn or asyncio.Semaphore(_TOGETHER)
        self._turns[key] = turn, users + 1
        try:
            async with turn:
                return await self._ask(route, message)
        finally:
            _, users = self._turns[key]
            if users > 1:
                self._turns[key] = turn, users - 1
            else:
                del self._turns[key]

    async def _ask(self, route: Route, message: Message) -> Outcome:
        job = Job(message, message.recipients, route.transport, route.nexthop, NoContent())
        job.probe = True
        ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def report(_job: Job) -> None:
            if not ended.done():
                ended.set_result(None)

        self._agents[route.transport].deliver(job, report)
        await asyncio.wait([ended], timeout=_LONGEST)
        outcome = job.outcomes[0]
        if not ended.done() or outcome is None:
            return Outcome("4.4.2", "no result in time")
        return outcome

    def _log(self, log: Log, program: str, message: Message, outcome: Outcome, begun: float) -> None:
        total = self._clock.steady() - begun
        setup, transfer = outcome.setup, outcome.transfer
        delays = fields(total, 0, max(0.0, total - setup - transfer), setup, transfer)
        state = "deliverable" if outcome.fate is Fate.DELIVERED else "undeliverable"
        address = to_external(message.recipients[0].address)
        event = _EVENTS.get(program) or _EVENTS["error"]
        log.emit(event, message.id, address, outcome.relay, delays, outcome.status, state, outcome.text)


_STATES: Final = {
    Fate.DELIVERED: Deliverability.GOOD,
    Fate.DEFERRED: Deliverability.UNKNOWN,
    Fate.BOUNCED: Deliverability.BAD,
}
