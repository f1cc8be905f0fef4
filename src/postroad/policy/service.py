"""The policy of one smtpd service: which lists are asked at which command."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Final

from postroad.base.errors import LookupUnavailable, TableUnavailable
from postroad.base.log import Log
from postroad.base.params import Param, Settings
from postroad.model.params import MYNETWORKS, SOFT_BOUNCE
from postroad.model.ports import Resolver, Router, Verifier
from postroad.model.reply import Reply
from postroad.model.session import Session
from postroad.policy import params as p
from postroad.policy import query as q
from postroad.policy.compiler import Compiler
from postroad.policy.evaluation import run
from postroad.policy.guard import guarded_relay_list
from postroad.policy.items import DEFAULTS, classes_of
from postroad.policy.query import Query
from postroad.policy.reasons import Reasons
from postroad.policy.recorder import Recorder
from postroad.policy.services import Recipients, Services
from postroad.policy.trail import trails_of
from postroad.policy.verdict import Check, ServerError, Verdict
from postroad.tables.context import TableContext
from postroad.tables.matchlist import AddressList, parents_of

_PUT_OFF: Final = "policy.put_off"
_UNDECIDED: Final = (TableUnavailable, LookupUnavailable, ServerError)


class ServicePolicy:
    """Implements ``model.ports.Policy`` for one service; its settings never change.

    ``own_address`` says whether an IP address is one of this machine's.  A ``recorder`` hears of all
    that is asked and answered, and then nothing that is remembered changes.  ValueError for a
    restriction class without a definition, and for a mynetworks that cannot be used.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        tables: TableContext,
        router: Router,
        recipients: Recipients,
        log: Log,
        own_address: Callable[[str], bool],
        resolver: Resolver | None = None,
        verifier: Verifier | None = None,
        recorder: Recorder | None = None,
    ) -> None:
        self._log = log
        self._soft_bounce = settings[SOFT_BOUNCE]
        self._delay = settings[p.DELAY_REJECT]
        members = settings[MYNETWORKS]
        networks = AddressList(members, tables, parents=parents_of(settings, MYNETWORKS.name))
        self._services = services = Services(
            settings,
            tables=tables,
            networks=networks,
            router=router,
            recipients=recipients,
            own_address=own_address,
            log=log,
            resolver=resolver,
            verifier=verifier,
            recorder=recorder,
        )
        if recorder is not None:
            recorder.reason = Reasons(services).of
        names = settings[p.RESTRICTION_CLASSES]
        classes = classes_of(names, settings.texts)
        compiler = Compiler(services, classes, None if recorder is None else recorder.wrap)
        compiler.try_classes()

        def compiled(param: Param[tuple[str, ...]]) -> tuple[Check, ...]:
            words = settings[param]
            return compiler.compile(words, DEFAULTS.get(param, ""), param.name)

        def alone(param: Param[bool], name: str) -> tuple[Check, ...]:
            """Return what is asked behind a list, whatever stands in it."""
            checks = compiler.compile((name,), "", param.name)
            return checks if settings[param] else ()

        self._client = compiled(p.CLIENT_RESTRICTIONS)
        self._helo = compiled(p.HELO_RESTRICTIONS)
        self._sender = compiled(p.SENDER_RESTRICTIONS)
        self._sender_end = alone(p.REJECT_UNLISTED_SENDER, "reject_unlisted_sender")
        words = guarded_relay_list(settings, classes)
        relay = compiler.compile(words, DEFAULTS[p.RELAY_RESTRICTIONS], p.RELAY_RESTRICTIONS.name)
        both = (relay, compiled(p.RECIPIENT_RESTRICTIONS))
        ordered = both if settings[p.RELAY_BEFORE_RECIPIENT] else both[::-1]
        self._recipient = tuple(checks for checks in ordered if checks)
        self._recipient_end = alone(p.REJECT_UNLISTED_RECIPIENT, "reject_unlisted_recipient")
        self._data = compiled(p.DATA_RESTRICTIONS)
        self._end_of_data = compiled(p.END_OF_DATA_RESTRICTIONS)
        self._etrn = compiled(p.ETRN_RESTRICTIONS)
        #: Whether anything waits for RCPT.
        self._put_off = bool(self._client or self._helo or self._sender or self._sender_end)
        self.stages = self._stages()

    def _stages(self) -> frozenset[str]:
        """Return the methods, of those on the way to a message, that have anything to ask."""
        asks = {
            "connect": self._client and not self._delay,
            "helo": self._helo and not self._delay,
            "mail": not self._delay,
            "recipient": True,
            "data": self._data,
            "end_of_data": self._end_of_data,
        }
        return frozenset(stage for stage, checks in asks.items() if checks)

    # --- the port

    async def connect(self, session: Session) -> Reply | None:
        """Ask the client restrictions, unless they wait for RCPT."""
        if self._delay or not self._client:
            return None
        query = self._query(session, "CONNECT")
        reply = await self._ask_client(query)
        session.memory[_PUT_OFF] = (query.put_off, None)
        return reply

    async def helo(self, session: Session) -> Reply | None:
        """Ask the HELO restrictions, unless they wait for RCPT."""
        if self._delay or not self._helo:
            return None
        query = self._query(session, session.greeting or "HELO")
        client = session.memory.get(_PUT_OFF, (None, None))[0]
        query.put_off = client
        reply = await self._ask_helo(query)
        session.memory[_PUT_OFF] = (client, query.put_off)
        return reply

    async def mail(self, session: Session) -> Reply | None:
        """Ask the sender restrictions, unless they wait for RCPT."""
        if self._delay:
            return None
        query = self._query(session, "MAIL")
        client, helo = session.memory.get(_PUT_OFF, (None, None))
        query.put_off = client or helo
        reply = await self._ask_sender(query)
        if query.put_off is not None:
            session.transaction.verdicts[_PUT_OFF] = query.put_off
        return reply

    def recipient(self, session: Session, address: str) -> Coroutine[Any, Any, Reply | None]:
        """Ask what waited, then the relay and recipient restrictions."""
        return self._ask_recipient(session, address, "RCPT")

    async def verify(self, session: Session, address: str) -> Reply | None:
        """Ask what RCPT would ask."""
        return await self._ask_recipient(session, address, "VRFY")

    async def data(self, session: Session) -> Reply | None:
        """Ask the data restrictions."""
        if not self._data:
            return None
        return await self._ask_whole(self._query(session, "DATA"), self._data, q.DATA)

    async def end_of_data(self, session: Session, size: int) -> Reply | None:
        """Ask the end-of-data restrictions."""
        if not self._end_of_data:
            return None
        query = self._query(session, "END-OF-MESSAGE")
        query.size = size
        return await self._ask_whole(query, self._end_of_data, q.END_OF_DATA)

    async def etrn(self, session: Session, domain: str) -> Reply | None:
        """Ask what waited, then the ETRN restrictions."""
        query = self._query(session, "ETRN")
        query.domain = domain
        if self._delay:
            reply = await self._ask_client(query) or await self._ask_helo(query)
            if reply is not None:
                return reply
        else:
            client, helo = session.memory.get(_PUT_OFF, (None, None))
            query.put_off = client or helo
        query.begin(domain, q.ETRN)
        return await self._ask(query, self._etrn) or _settle(query)

    # --- the stages

    def _query(self, session: Session, command: str) -> Query:
        return Query(session, command, self._log, soft_bounce=self._soft_bounce)

    async def _ask_client(self, query: Query) -> Reply | None:
        if not self._client:
            return None
        query.begin(query.session.client.named_address, q.CLIENT)
        return await self._ask(query, self._client)

    async def _ask_helo(self, query: Query) -> Reply | None:
        helo = query.session.helo
        if not self._helo or not helo:
            return None
        query.begin(helo, q.HELO)
        return await self._ask(query, self._helo)

    async def _ask_sender(self, query: Query) -> Reply | None:
        sender = query.session.transaction.sender
        if sender is None or not (self._sender or self._sender_end):
            return None
        query.begin(sender, q.SENDER)
        return await self._ask(query, self._sender) or await self._ask(query, self._sender_end)

    async def _ask_recipient(self, session: Session, address: str, command: str) -> Reply | None:
        # RFC 5321 4.5.1: postmaster without a domain is always accepted.
        if address.lower() == "postmaster":
            return None
        # Servers that we probe may probe the sender of the probe: that must have an end.
        services = self._services
        if services.verifies and services.verifier is not None and services.verifier.is_probe_sender(address):
            return None
        query = self._query(session, command)
        query.recipient = address
        if not self._delay:
            query.put_off = session.transaction.verdicts.get(_PUT_OFF)
        elif self._put_off:
            reply = (
                await self._ask_client(query) or await self._ask_helo(query) or await self._ask_sender(query)
            )
            if reply is not None:
                return reply
        query.begin(address, q.RECIPIENT)
        try:
            for checks in self._recipient:
                verdict = await run(checks, query)
                if isinstance(verdict, Reply):
                    return _told(query, verdict)
            if services.recorder is None and services.recipients.passes(address):
                return _settle(query)
            return _settle(query) or _refusal(query, await run(self._recipient_end, query))
        except _UNDECIDED as error:
            return self._undecided(query, error)

    async def _ask_whole(self, query: Query, checks: tuple[Check, ...], kind: str) -> Reply | None:
        """Ask about the whole message; a recipient is named only when it is the only one."""
        recipients = query.session.transaction.recipients
        if len(recipients) == 1:
            query.recipient = recipients[0].original
        query.begin(query.command, kind)
        return await self._ask(query, checks) or _settle(query)

    async def _ask(self, query: Query, checks: tuple[Check, ...]) -> Reply | None:
        """Return the refusal of a list, if it refuses; what could not be asked is one, too."""
        try:
            return _refusal(query, await run(checks, query))
        except _UNDECIDED as error:
            return self._undecided(query, error)

    def _undecided(self, query: Query, error: Exception) -> Reply | None:
        self._log.warning("smtpd", str(error))
        reply = Reply(451, "4.3.0", f"<{query.name}>: Temporary lookup failure")
        if isinstance(error, ServerError):
            reply = Reply(451, "4.3.5", "Server configuration error")
        said = query.refuse(reply, always=True)
        return None if said is None else _told(query, said, str(error))


def _refusal(query: Query, verdict: Verdict) -> Reply | None:
    return _told(query, verdict) if isinstance(verdict, Reply) else None


def _told(query: Query, reply: Reply, error: str = "") -> Reply:
    """Leave word of what decided, for who keeps a record of refusals."""
    query.session.why = partial(trails_of, query.notes, query.hit, reply, error)
    return reply


def _settle(query: Query) -> Reply | None:
    """Return the 4xx that takes the place of a final yes, if one was put off."""
    if query.put_off is None:
        return None
    reply = query.refuse(query.put_off)
    return None if reply is None else _told(query, reply)
