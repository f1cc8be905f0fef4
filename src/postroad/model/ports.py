"""The Protocols between the stages.  A stage knows these and never another stage.

The queue's are in ``queue.py``.  ``then`` callbacks are called on the loop's thread, exactly once, and
may be called before the method that takes them returns.  Coroutines of these ports run under
``base.tasks.start``: see there what they may await.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, Protocol, TypeAlias

from postroad.model.filters import Body, FilterOutcome
from postroad.model.job import Attempt, Job
from postroad.model.message import Message
from postroad.model.reply import Reply
from postroad.model.route import Route
from postroad.model.sasl import SaslStep
from postroad.model.session import Session
from postroad.model.verification import Verification

#: ``FilterSession.message``.
Judge = Callable[[bytes, Body], Coroutine[Any, Any, FilterOutcome]]


class Table(Protocol):
    """A look-up table, ``type:argument``.

    ``lookup`` gives the value, None when the table does not know the key; raises TableUnavailable
    when it could not look.  Keys are data, never syntax.  The caller folds the key's case.
    """

    name: str

    async def lookup(self, key: str) -> str | None:
        """Look a key up."""
        ...


#: What a policy says, or the coroutine that will say it.
Answer: TypeAlias = Reply | Coroutine[Any, Any, Reply | None] | None


class Policy(Protocol):
    """Says whether a session may go on.  One per smtpd service.  None accepts; a Reply refuses."""

    async def connect(self, session: Session) -> Reply | None:
        """A client has connected."""
        ...

    async def helo(self, session: Session) -> Reply | None:
        """HELO or EHLO: ``session.helo`` is set."""
        ...

    async def routing(self, session: Session, address: str) -> Reply | None:
        """MAIL, RCPT or VRFY have an address with routing in it; 501 when that leads to no address."""
        ...

    async def mail(self, session: Session) -> Reply | None:
        """MAIL: ``session.transaction.sender`` is set."""
        ...

    def recipient(self, session: Session, address: str) -> Answer:
        """RCPT: the recipient is not yet among the transaction's.  At once, or with a coroutine."""
        ...

    async def data(self, session: Session) -> Reply | None:
        """DATA, or the first BDAT."""
        ...

    async def end_of_data(self, session: Session, size: int) -> Reply | None:
        """The final dot; nothing is queued yet."""
        ...

    async def verify(self, session: Session, address: str) -> Reply | None:
        """VRFY."""
        ...

    async def etrn(self, session: Session, domain: str) -> Reply | None:
        """ETRN."""
        ...


class Receiver(Protocol):
    """Takes the content of one message while it arrives: dots removed, CRLF kept, cut anywhere."""

    def feed(self, data: bytes) -> None:
        """Take a piece.  Never raises; an error is kept for ``commit``."""
        ...

    def commit(self, then: Callable[[Reply], None], judge: Judge | None = None) -> None:
        """Queue the message.  ``then`` gets the reply to the final dot; 250 means synced.

        ``judge`` shows it to the mail filters before it is queued.
        """
        ...

    def abort(self) -> None:
        """Forget it: the session ended, or the message was refused."""
        ...


class Intake(Protocol):
    """Accepted means on disk: makes receivers."""

    def open(self, session: Session) -> Receiver:
        """Begin a message for the session's transaction, and give it its queue id (``queue_key``)."""
        ...


class SaslExchange(Protocol):
    """One authentication exchange with one client."""

    async def step(self, response: bytes | None) -> SaslStep:
        """Take a response, without its base64; None when AUTH had no initial response.

        Never raises for what a client or a back end does.
        """
        ...

    def cancel(self) -> None:
        """The client gave up, or is gone."""
        ...


class Authenticator(Protocol):
    """Finds out who a client is (AUTH, RFC 4954)."""

    def mechanisms(self, *, tls: bool) -> tuple[str, ...]:
        """Return what may be offered now, in the order of the offer; () while there is nothing."""
        ...

    def begin(self, mechanism: str, session: Session) -> SaslExchange:
        """Begin with a mechanism, in upper case, that ``mechanisms`` has."""
        ...

    async def close(self) -> None:
        """End connections to a back end; exchanges under way fail as unavailable."""
        ...


class FilterSession(Protocol):
    """The mail filters of one SMTP session.  They are asked after the policy, where it accepts.

    A Reply refuses, and is in the log already (milter-reject); 421 ends the session.  What filters
    want done with the message besides is noted in ``transaction.actions``: HOLD, DISCARD.  None of
    the coroutines raises for what a filter does, or fails to do.
    """

    async def connect(self) -> Reply | None:
        """The client is here."""
        ...

    async def helo(self) -> Reply | None:
        """HELO or EHLO: ``session.helo`` is set."""
        ...

    async def mail(self, arguments: Sequence[str] = ()) -> Reply | None:
        """MAIL: ``session.transaction.sender`` is set; ``arguments`` are the words behind the address."""
        ...

    async def recipient(self, address: str, refusal: Reply | None = None, arguments: Sequence[str] = ()) -> Reply | None:  # fmt: skip  # noqa: E501
        """RCPT: the recipient is not yet among the transaction's.

        With a ``refusal`` it never will be; filters that want to know are told, and None is returned.
        """
        ...

    async def data(self) -> Reply | None:
        """DATA, or the first BDAT."""
        ...

    async def unknown(self, command: str) -> Reply | None:
        """A command that SMTP does not know, the whole line; it is refused anyway."""
        ...

    async def message(self, header: bytes, body: Body) -> FilterOutcome:
        """The message as it would be queued; ``header`` begins with our own Received field."""
        ...

    def abort(self) -> None:
        """The transaction is over without a message; harmless when there is none."""
        ...

    def close(self) -> None:
        """The session is over.  Whatever is waited for ends, with None."""
        ...


class Filters(Protocol):
    """The mail filters of one smtpd service; there is none where none are configured."""

    async def session(self, session: Session) -> FilterSession | None:
        """Return the filters of a client, None when it has none.  TableUnavailable: could not look."""
        ...


class LocalFilters(Protocol):
    """The mail filters of mail that comes without SMTP: sendmail(1)'s, and our own notices."""

    notices: bool  # notices are to be filtered too

    async def message(self, session: Session, header: bytes, body: Body) -> FilterOutcome:
        """Tell filters of a session as if it were one of SMTP, and of its message; see FilterSession."""
        ...


class Router(Protocol):
    """Says where an address goes.  TableUnavailable when it could not look."""

    async def route(self, address: str, sender: str = "") -> Route:
        """Return transport and next hop."""
        ...

    async def is_valid(self, address: str) -> bool:
        """Return whether the address leads to one whose domain can be one."""
        ...

    def remembered(self, address: str) -> tuple[str, str] | None:
        """Return transport and next hop of an address, if known without looking, whoever the sender is."""
        ...


class Agent(Protocol):
    """Delivers jobs.  Never raises for what a peer does, never touches the queue.

    An agent that ``gathers`` takes so many jobs as one delivery: it does them one after the other, in
    batches, and limits of deliveries at one time count its batches.
    """

    gathers: int

    def deliver(self, job: Job, report: Callable[[Job], None]) -> None:
        """Try to deliver; ``report(job)`` when every recipient has its outcome."""
        ...

    async def close(self) -> None:
        """End idle connections; jobs under way end by themselves."""
        ...


class Outcomes(Protocol):
    """Says what follows from what agents report."""

    def report(self, job: Job) -> None:
        """Log each outcome and note it on the recipient and on ``job.attempt``."""
        ...

    def finish(self, attempt: Attempt, then: Callable[[Sequence[Message]], None]) -> None:
        """Settle: done, retry or bounce.  ``then`` gets the notices, accepted and leased to us."""
        ...


class Resolver(Protocol):
    """The DNS.  An empty answer means "not there"; LookupUnavailable means "could not look".

    Answers come from one cache; equal questions at the same time become one.
    """

    def mx(self, name: str) -> Awaitable[Sequence[tuple[int, str]]]:
        """Return (preference, host) pairs; ``(0, "")`` alone is the null MX (RFC 7505)."""
        ...

    def addresses(self, name: str, family: int = 0) -> Awaitable[Sequence[str]]:
        """Return addresses of a host name: family 4, 6, or 0 for both (A first)."""
        ...

    def ptr(self, address: str) -> Awaitable[Sequence[str]]:
        """Return the names of an address."""
        ...

    def txt(self, name: str) -> Awaitable[Sequence[bytes]]:
        """Return TXT records, each with its strings joined."""
        ...

    def query(self, name: str, kind: str) -> Awaitable[Any]:
        """Return the full answer (``net.answer.Answer``): records, AD flag, TTL, NXDOMAIN or no data."""
        ...


class Verifier(Protocol):
    """Knows whether addresses would be taken, or finds it out by a probe."""

    async def verify(self, address: str) -> Verification:
        """Return what is known of an address; PENDING when no probe has ended in time.

        LookupUnavailable when what is known could not be read.
        """
        ...

    def is_probe_sender(self, address: str) -> bool:
        """Return whether an address is the sender of our probes, or was or will soon be."""
        ...


class Prober(Protocol):
    """Finds out what becomes of mail for an address, and sends none."""

    async def probe(self, address: str, sender: str) -> Verification:
        """Ask who would take the mail.  Never raises; what could not be found out is UNKNOWN."""
        ...
