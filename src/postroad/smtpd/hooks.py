"""The machine's questions, put to policy and intake; their answers, and what the log says of them."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import partial
from types import CoroutineType
from typing import TYPE_CHECKING, Any

from postroad.base.errors import LookupUnavailable, StoreUnavailable, TableUnavailable
from postroad.base.tasks import result, start
from postroad.mail.address import to_external
from postroad.model.ports import FilterSession, Policy, Receiver
from postroad.model.reply import Reply
from postroad.model.session import Session
from postroad.proto.hooks import PENDING, Answer
from postroad.smtpd import events
from postroad.smtpd.admission import authorize, recognize
from postroad.smtpd.allowance import Allowance
from postroad.smtpd.encryption import refuse_starttls
from postroad.smtpd.login import Login
from postroad.smtpd.notes import Notes
from postroad.smtpd.rates import Rates
from postroad.smtpd.transcript import client_text

if TYPE_CHECKING:
    from postroad.smtpd.connection import Connection
    from postroad.smtpd.service import SmtpdService

_LOOKUP_FAILED = Reply(451, "4.3.0", "Temporary lookup failure")
_FAILED = Reply(451, "4.3.0", "Error: internal error")
_NO_SPACE = Reply(452, "4.3.1", "Insufficient system storage")
_NO_TLS = Reply(454, "4.7.0", "TLS not available due to local problem")
_NOT_NOW = Reply(454, "4.7.0", "Temporary authentication failure: (reason unavailable)")
_ABSENT = (TableUnavailable, LookupUnavailable, StoreUnavailable)


async def _nothing() -> None:
    """Filters that there are none of have nothing to say."""


class SessionHooks(Notes):
    """The hooks of one session; implements ``proto.hooks.Hooks``."""

    __slots__ = ("_answer", "_late", "_login", "_receiver", "_said", "filters", "rates")  # fmt: skip

    def __init__(self, service: SmtpdService, session: Session, connection: Connection) -> None:
        super().__init__(service, session, connection)
        self._receiver: Receiver | None = None
        self._login = Login(service, session)
        self.filters: FilterSession | None = None
        self.rates: Rates | None = None  # of a client that is counted
        self._said: Reply | None = None  # a refusal of the filters, which log their own
        self._late = False  # the machine waits for an answer
        self._answer: Answer = None

    # -- questions to the policy

    def _ask(self, question: Coroutine[Any, Any, Reply | None]) -> Answer:
        """Put a question.  The answer is often there at once: then no task and no future is made."""
        self._answer = PENDING
        start(question, self._settle)
        self._late = self._answer is PENDING
        return self._answer

    def _deliver(self, reply: Reply | None) -> None:
        if self._late:
            self._late = False
            self._connection.answer(reply)
        else:
            self._answer = reply

    def _settle(self, reply: Reply | None, error: BaseException | None) -> None:
        if error is not None:
            reply = self._failure(error)
        if reply is not None and not reply.accepts:
            self.refused(reply, logged=reply is self._said)
        self._deliver(reply)

    async def _filtered(self, stage: str, filters: Callable[[], Coroutine[Any, Any, Reply | None]]) -> Reply | None:  # fmt: skip  # noqa: E501
        """Put a question to the policy and, if it has nothing against it, to the filters."""
        service, reply = self._service, None
        if service.policy is not None and stage in service.stages:
            reply = await getattr(service.policy, stage)(self._session)
        if reply is None and stage == "mail" and not service.has_space(self._session.transaction.size):
            return _NO_SPACE
        if reply is None:
            reply = self._said = await filters()
        return reply

    def _failure(self, error: BaseException) -> Reply:
        """What could not be decided is not accepted, and not refused for good either."""
        service = self._service
        service.log.emit(
            events.FAILED, self._session.client.named_address, self._connection.machine.where, repr(error)
        )
        return _LOOKUP_FAILED if isinstance(error, _ABSENT) else _FAILED

    def connect(self) -> Answer:
        """See ``proto.hooks``; so for all that follow."""
        policy = self._service.policy
        if self.filters is not None:
            return self._ask(self._filtered("connect", self.filters.connect))
        if policy is None or "connect" not in self._service.stages:
            return None
        return self._ask(policy.connect(self._session))

    def xclient(self) -> Answer:
        """XCLIENT: who the client is now decides what it may, and how it is greeted."""
        return self._ask(self._xclient())

    async def _xclient(self) -> Reply | None:
        before, self.filters = self.filters, None
        if before is not None:
            before.close()
        await authorize(self._connection)
        await recognize(self._connection)
        filters = self._connection.hooks.filters
        if filters is not None:
            return await self._filtered("connect", filters.connect)
        service = self._service
        if service.policy is None or "connect" not in service.stages:
            return None
        return await service.policy.connect(self._session)

    def helo(self) -> Answer:
        """HELO or EHLO."""
        policy = self._service.policy
        if self.filters is not None:
            return self._ask(self._filtered("helo", self.filters.helo))
        if policy is None or "helo" not in self._service.stages:
            return None
        return self._ask(policy.helo(self._session))

    def routing(self, address: str) -> Answer:
        """MAIL, RCPT or VRFY, with routing in the address."""
        policy = self._service.policy
        return None if policy is None else self._ask_quietly(policy.routing(self._session, address), _LOOKUP_FAILED)  # fmt: skip  # noqa: E501

    def mail(self) -> Answer:
        """MAIL; when it is accepted there must be room for the message."""
        self.candidate = ""
        service = self._service
        if self.rates is not None:
            refusal = self.rates.message(self._session.client)
            if refusal is not None:
                return refusal
        if service.allowance is not None and self._session.sasl_username:
            return self._ask(self._charged_mail(service.allowance))
        if self.filters is not None:
            return self._ask(self._filtered("mail", self.filters.mail))
        if service.policy is not None and "mail" in service.stages:
            return self._ask(self._mail(service.policy))
        if service.has_space(self._session.transaction.size):
            return None
        self.refused(_NO_SPACE)
        return _NO_SPACE

    async def _charged_mail(self, allowance: Allowance) -> Reply | None:
        refusal = await allowance.message(self._session)
        if refusal is not None:
            return refusal
        return await self._filtered("mail", _nothing if self.filters is None else self.filters.mail)

    async def _mail(self, policy: Policy) -> Reply | None:
        reply = await policy.mail(self._session)
        if reply is None and not self._service.has_space(self._session.transaction.size):
            return _NO_SPACE
        return reply

    def recipient(self, address: str) -> Answer:
        """RCPT."""
        self.candidate = address
        policy = self._service.policy
        if self.rates is not None:
            refusal = self.rates.recipient(self._session.client)
            if refusal is not None:
                return refusal
        allowance = self._service.allowance
        if allowance is not None and self._session.sasl_username:
            return self._ask(self._charged_recipient(address, allowance))
        if self.filters is not None:
            return self._ask(self._recipient(address, self.filters))
        if policy is None or "recipient" not in self._service.stages:
            return None
        try:
            answer: Any = policy.recipient(self._session, address)
        except Exception as error:  # noqa: BLE001 - as with a coroutine
            return self._known(None, error)
        if answer is None:
            return None
        return self._ask(answer) if answer.__class__ is CoroutineType else self._known(answer)

    def _known(self, reply: Reply | None, error: Exception | None = None) -> Answer:
        """Settle an answer that is there at once."""
        self._settle(reply, error)
        return self._answer

    async def _charged_recipient(self, address: str, allowance: Allowance) -> Reply | None:
        refusal = await allowance.recipient(self._session)
        return refusal if refusal is not None else await self._recipient(address, self.filters)

    async def _recipient(self, address: str, filters: FilterSession | None) -> Reply | None:
        service = self._service
        if service.policy is not None and "recipient" in service.stages:
            reply = await result(service.policy.recipient(self._session, address))
            if reply is not None and not reply.accepts:
                if filters is not None:
                    await filters.recipient(address, reply)
                return reply
        self._said = None if filters is None else await filters.recipient(address)
        return self._said

    def verify(self, address: str) -> Answer:
        """VRFY: it is counted as RCPT is."""
        self.candidate = address
        policy = self._service.policy
        if self.rates is not None:
            refusal = self.rates.recipient(self._session.client)
            if refusal is not None:
                return refusal
        return None if policy is None else self._ask(policy.verify(self._session, address))

    def etrn(self, domain: str) -> Answer:
        """ETRN: when the policy has nothing against it, the service's own answer."""
        self.candidate = ""
        return self._ask_quietly(self._etrn(domain), _LOOKUP_FAILED)

    async def _etrn(self, domain: str) -> Reply | None:
        service, reply = self._service, None
        if service.policy is not None:
            try:
                reply = await service.policy.etrn(self._session, domain)
            except Exception as error:  # noqa: BLE001 - answered 4xx
                reply = self._failure(error)
        if reply is not None and not reply.accepts:
            self.refused(reply)
        if reply is not None or service.etrn is None:
            return reply
        reply = await service.etrn(domain)
        if reply is not None and not reply.accepts:
            service.log.emit(events.ETRN_REFUSED, domain[:100], self._session.client.named_address)
        return reply

    def data(self) -> Answer:
        """DATA or the first BDAT.  With several recipients the log names none of them."""
        recipients = self._session.transaction.recipients
        self.candidate = recipients[0].address if len(recipients) == 1 else ""
        policy = self._service.policy
        if self.filters is not None:
            return self._ask(self._filtered("data", self.filters.data))
        if policy is None or "data" not in self._service.stages:
            return None
        return self._ask(policy.data(self._session))

    def unknown(self, command: str) -> Answer:
        """Take a command that nobody knows."""
        if self.filters is None:
            return None
        return self._ask(self._filtered("", partial(self.filters.unknown, command)))

    # -- TLS and AUTH

    def _ask_quietly(self, question: Coroutine[Any, Any, Reply | None], otherwise: Reply) -> Answer:
        """Put a question that is not the policy's, whose refusals the log has in other words.

        ``otherwise`` is the answer when nobody could look.
        """
        self._answer = PENDING
        start(question, partial(self._answered, otherwise))
        self._late = self._answer is PENDING
        return self._answer

    def _answered(self, otherwise: Reply, reply: Reply | None, error: BaseException | None) -> None:
        if error is not None:
            self._failure(error)
            reply = otherwise
        self._deliver(reply)

    def starttls(self) -> Answer:
        """STARTTLS: there must be a certificate, and the client must not have done it too often."""
        service = self._service
        if service.tls is None or not service.tls.ready:
            return _NO_TLS
        if not service.security.new_tls_limit:
            return None
        return self._ask_quietly(refuse_starttls(service, self._session.client), _NO_TLS)

    def mechanisms(self) -> str:
        """Return what AUTH may name."""
        return self._login.mechanisms()

    def auth_command(self) -> Answer:
        """AUTH, before it is read."""
        return self._ask_quietly(self._login.count(), _NOT_NOW) if self._service.security.auth_limit else None

    def auth(self, mechanism: str, response: bytes | None) -> Answer:
        """AUTH."""
        return self._ask_quietly(self._login.begin(mechanism, response), _NOT_NOW)

    def auth_response(self, response: bytes) -> Answer:
        """Answer a response to a challenge."""
        return self._ask_quietly(self._login.respond(response), _NOT_NOW)

    def auth_failed(self, mechanism: str, reason: str) -> None:
        """Log that the client cannot be understood."""
        self._login.failed(mechanism, reason)

    def auth_cancel(self) -> None:
        """Give the exchange up."""
        self._login.cancel()

    # -- the message

    def open(self) -> None:
        """Get a queue id, and say whose message it is."""
        service, session = self._service, self._session
        self._receiver = service.intake.open(session)
        queue_id = self.queue_id  # there is none where another server gets the mail
        if service.local:
            sender = to_external(session.transaction.sender or "")
            service.log.emit(events.LOCAL, queue_id, session.client.local_uid, sender)
        else:
            who = session.client.named_address
            if session.sasl_method or session.sasl_sender or session.transaction.forwarded is not None:
                who += client_text(session)
            service.log.emit(events.ACCEPTED, queue_id, who)

    def content(self, piece: bytes) -> None:
        """Hand a piece of the message on."""
        if self._receiver is not None:
            self._receiver.feed(piece)

    def message(self, size: int) -> Answer:
        """The end of data: the policy's word, then the queue's."""
        self._answer = PENDING
        policy = self._service.policy
        if policy is None or "end_of_data" not in self._service.stages:
            self._commit()
        else:
            start(policy.end_of_data(self._session, size), self._judge)
        self._late = self._answer is PENDING
        return self._answer

    def _judge(self, reply: Reply | None, error: BaseException | None) -> None:
        if error is not None:
            reply = self._failure(error)
        if reply is not None and not reply.accepts:
            self.refused(reply)
        elif not self._connection.machine.closed:
            self._commit()
            return
        self.discard()
        self._deliver(reply)

    def _commit(self) -> None:
        receiver, self._receiver = self._receiver, None
        if receiver is None:
            self._deliver(_FAILED)
        elif self.filters is not None:
            receiver.commit(self._deliver, self.filters.message)
        elif self._service.local_filters is not None:
            receiver.commit(self._deliver, partial(self._service.local_filters.message, self._session))
        else:
            receiver.commit(self._deliver)

    def discard(self) -> None:
        """The message is not to be."""
        receiver, self._receiver = self._receiver, None
        if receiver is not None:
            receiver.abort()
        if self.filters is not None:
            self.filters.abort()
