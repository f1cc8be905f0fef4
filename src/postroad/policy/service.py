"""The policy of one smtpd service: which lists are asked at which command."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from types import CoroutineType
from typing import Any, Final

from postroad.base.errors import LookupUnavailable, TableUnavailable
from postroad.base.log import Log
from postroad.base.params import Settings
from postroad.base.tasks import result
from postroad.model.params import MYNETWORKS, SOFT_BOUNCE
from postroad.model.ports import Answer, Resolver, Router, Verifier
from postroad.model.reply import Reply
from postroad.model.session import Session
from postroad.policy import params as p
from postroad.policy import query as q
from postroad.policy.envelope import Envelope
from postroad.policy.evaluation import run
from postroad.policy.lists import ServiceLists
from postroad.policy.query import Query
from postroad.policy.reasons import Reasons
from postroad.policy.recorder import Recorder
from postroad.policy.services import Recipients, Services
from postroad.policy.stages import Stage, walk
from postroad.policy.trail import trails_of
from postroad.policy.verdict import ServerError, Verdict
from postroad.tables.context import TableContext
from postroad.tables.matchlist import AddressList, parents_of

_PUT_OFF: Final = "policy.put_off"
_POSTMASTER: Final = "postmaster"
_POSTMASTER_LENGTH: Final = len(_POSTMASTER)
_UNDECIDED: Final = (TableUnavailable, LookupUnavailable, ServerError)


class ServicePolicy:
    """Implements ``model.ports.Policy`` for one service; its settings never change.

    ``own_address`` says whether an IP address is one of this machine's; ``hosts`` gives the addresses of
    a name that the system knows without the DNS.  A ``recorder`` hears of all that is asked and
    answered, and then nothing that is remembered changes.  ValueError for a restriction class without a
    definition, and for a mynetworks that cannot be used.
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
        hosts: Callable[[str], Sequence[str]] = lambda _name: (),
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
            hosts=hosts,
            verifier=verifier,
            recorder=recorder,
        )
        self._envelope = Envelope(services)
        if recorder is not None:
            recorder.reason = Reasons(services).of
        lists = ServiceLists(settings, services)
        self._client = Stage(q.CLIENT, _client_name, lists.client)
        self._helo = Stage(q.HELO, _helo_name, lists.helo)
        self._sender = Stage(q.SENDER, _sender_name, lists.sender, lists.sender_end)
        waiting = [stage for stage in (self._client, self._helo, self._sender) if stage and self._delay]
        # The last stage is begun though nothing is asked: what comes behind it speaks of the same.
        self._at_recipient = (*waiting, Stage(q.RECIPIENT, _recipient_name, *lists.recipient))
        self._recipient_end = lists.recipient_end
        etrn = Stage(q.ETRN, _etrn_name, lists.etrn)
        self._at_etrn = (*(stage for stage in waiting if stage is not self._sender), etrn)
        self._data = Stage(q.DATA, _command_name, lists.data)
        self._end_of_data = Stage(q.END_OF_DATA, _command_name, lists.end_of_data)
        self.stages = self._stages()

    def _stages(self) -> frozenset[str]:
        """Return the methods, of those on the way to a message, that have anything to ask."""
        asks: dict[str, object] = {
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
        reply = await self._ask(query, self._client)
        session.memory[_PUT_OFF] = (query.put_off, None)
        return reply

    async def helo(self, session: Session) -> Reply | None:
        """Ask the HELO restrictions, unless they wait for RCPT."""
        if self._delay or not self._helo:
            return None
        query = self._query(session, session.greeting or "HELO")
        client = session.memory.get(_PUT_OFF, (None, None))[0]
        query.put_off = client
        reply = await self._ask(query, self._helo)
        session.memory[_PUT_OFF] = (client, query.put_off)
        return reply

    async def routing(self, session: Session, address: str) -> Reply | None:
        """Refuse an address whose routing leads to none (``!user@here``)."""
        del session
        try:
            valid = await self._envelope.is_valid(address)
        except TableUnavailable as error:
            self._log.warning("smtpd", str(error))
            return Reply(451, "4.3.0", f"<{address}>: Temporary lookup failure")
        return None if valid else Reply(501, "5.1.3", "Bad address syntax")

    async def mail(self, session: Session) -> Reply | None:
        """Ask the sender restrictions, unless they wait for RCPT."""
        if self._delay:
            return None
        query = self._query(session, "MAIL")
        client, helo = session.memory.get(_PUT_OFF, (None, None))
        query.put_off = client or helo
        reply = await self._ask(query, self._sender)
        if query.put_off is not None:
            session.transaction.verdicts[_PUT_OFF] = query.put_off
        return reply

    def recipient(self, session: Session, address: str) -> Answer:
        """Ask what waited, then the relay and recipient restrictions."""
        return self._ask_recipient(session, address, "RCPT")

    async def verify(self, session: Session, address: str) -> Reply | None:
        """Ask what RCPT would ask."""
        return await result(self._ask_recipient(session, address, "VRFY"))

    async def data(self, session: Session) -> Reply | None:
        """Ask the data restrictions."""
        if not self._data:
            return None
        return await self._ask_whole(self._query(session, "DATA"), self._data)

    async def end_of_data(self, session: Session, size: int) -> Reply | None:
        """Ask the end-of-data restrictions."""
        if not self._end_of_data:
            return None
        query = self._query(session, "END-OF-MESSAGE")
        query.size = size
        return await self._ask_whole(query, self._end_of_data)

    async def etrn(self, session: Session, domain: str) -> Reply | None:
        """Ask what waited, then the ETRN restrictions."""
        query = self._query(session, "ETRN")
        query.domain = domain
        if not self._delay:
            client, helo = session.memory.get(_PUT_OFF, (None, None))
            query.put_off = client or helo
        return await self._ask(query, *self._at_etrn) or _settle(query)

    # --- what they have in common

    def _query(self, session: Session, command: str) -> Query:
        return Query(session, command, self._log, self._soft_bounce)

    def _ask_recipient(self, session: Session, address: str, command: str) -> Answer:
        """Return the answer; or who will give it, when somebody has to be waited for."""
        # RFC 5321 4.5.1: postmaster without a domain is always accepted.
        if len(address) == _POSTMASTER_LENGTH and address.lower() == _POSTMASTER:
            return None
        # Servers that we probe may probe the sender of the probe: that must have an end.
        services = self._services
        if services.verifies and services.verifier is not None and services.verifier.is_probe_sender(address):
            return None
        query = Query(session, command, self._log, self._soft_bounce, address)
        if not self._delay:
            query.put_off = session.transaction.verdicts.get(_PUT_OFF)
        try:
            refusal: Any = walk(self._at_recipient, query)
            if refusal is None:
                if (
                    query.put_off is None
                    and services.recorder is None
                    and services.recipients.passes(address)
                ):
                    return None
                return self._finish(query)
        except _UNDECIDED as error:
            return self._undecided(query, error)
        if refusal.__class__ is CoroutineType:
            return self._finish(query, refusal)
        return _told(query, refusal)

    async def _finish(self, query: Query, lists: Coroutine[Any, Any, Verdict] | None = None) -> Reply | None:
        """Wait for the verdict of the lists; if they have nothing against it the recipient must exist."""
        try:
            if lists is not None:
                refusal = _refusal(query, await lists)
                if refusal is not None:
                    return refusal
            refusal = _settle(query)
            if refusal is not None:
                return refusal
            outcome: Any = run(self._recipient_end, query)
            return _refusal(query, await outcome if outcome.__class__ is CoroutineType else outcome)
        except _UNDECIDED as error:
            return self._undecided(query, error)

    async def _ask_whole(self, query: Query, stage: Stage) -> Reply | None:
        """Ask about the whole message; a recipient is named only when it is the only one."""
        recipients = query.session.transaction.recipients
        if len(recipients) == 1:
            query.recipient = recipients[0].original
        return await self._ask(query, stage) or _settle(query)

    async def _ask(self, query: Query, *stages: Stage) -> Reply | None:
        """Return the refusal of a list, if one refuses; what could not be asked is one, too."""
        try:
            outcome: Any = walk(stages, query)
            return _refusal(query, await outcome if outcome.__class__ is CoroutineType else outcome)
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


# --- what the lists are about


def _client_name(query: Query) -> str:
    return query.session.client.named_address


def _helo_name(query: Query) -> str | None:
    return query.session.helo or None


def _sender_name(query: Query) -> str | None:
    return query.session.transaction.sender


def _recipient_name(query: Query) -> str:
    return query.recipient


def _etrn_name(query: Query) -> str:
    return query.domain


def _command_name(query: Query) -> str:
    return query.command
