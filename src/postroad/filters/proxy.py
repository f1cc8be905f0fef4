"""The before-queue content filter: what a service receives is handed on by SMTP while its client waits.

Nothing is queued here.  What the filter says to a recipient and to the message is what the client
hears; when it cannot be asked the client hears 451.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from postroad.base import tasks
from postroad.base.log import Event, Log
from postroad.base.params import Settings
from postroad.base.tasks import result
from postroad.base.wheel import Wheel
from postroad.filters import params as p
from postroad.filters.outbox import Outbox
from postroad.filters.proxylink import QUIT, ProxyError, ProxyLink, ProxySpec, dial, read_spec
from postroad.filters.proxywords import UNAVAILABLE, mail_line, rcpt_line, reply_of
from postroad.mail.address import to_external
from postroad.model.message import Message, Recipient
from postroad.model.params import PROXY_FILTER, QUEUE_DIRECTORY
from postroad.model.ports import Judge, Policy
from postroad.model.reply import Reply
from postroad.model.session import Session
from postroad.proto.client_content import ContentEncoder
from postroad.proto.client_features import parse_features
from postroad.proto.client_xforward import introduction
from postroad.proto.replies import ServerReply, printable

REJECTED = Event(
    "smtpd",
    'warning: proxy %s rejected "%s": "%s"',
    "The before-queue content filter did not take a command.",
)
TROUBLE = Event(
    "smtpd",
    "warning: %s",
    "The before-queue content filter could not be asked; the client is told 451.",
    urgent=True,
)
ENDED = Event(
    "smtpd",
    "proxy-%s: END-OF-MESSAGE: %s; from=<%s> to=<%s> proto=%s helo=<%s>",
    "What the before-queue content filter said of a message.",
)
_ASKED = frozenset({"recipient", "data"})
_MEMORY = "proxy"  # the conversation's place in a transaction
SPEED_ADJUST = "speed_adjust"


class Origin(Protocol):
    """Knows where a session's message comes from (the intake)."""

    def heading(self, session: Session) -> bytes:
        """Return the fields that go in front of a message that is handed on."""
        ...

    async def facts(self, session: Session) -> dict[str, str]:
        """Return what XFORWARD tells, under the names that a queued message would have it."""
        ...


class Proxy:
    """The before-queue filter of one service; implements ``model.ports.Intake``.

    ValueError for settings that cannot be used.
    """

    def __init__(self, settings: Settings, *, origin: Origin, log: Log, wheel: Wheel, loop: asyncio.AbstractEventLoop) -> None:  # fmt: skip  # noqa: E501
        self.directory = settings[QUEUE_DIRECTORY]
        self.spec: ProxySpec = read_spec(settings[PROXY_FILTER], self.directory)
        self.name = settings[p.PROXY_EHLO]
        self.limit = float(settings[p.PROXY_TIMEOUT])
        options: tuple[str, ...] = settings[p.PROXY_OPTIONS]
        unknown = [each for each in options if each != SPEED_ADJUST]
        if unknown:
            raise ValueError(f'unknown smtpd_proxy_options value "{unknown[0]}": expected {SPEED_ADJUST}')
        self.late = SPEED_ADJUST in options
        self.origin = origin
        self.log = log
        self.wheel = wheel
        self.loop = loop

    def open(self, session: Session) -> ProxyReceiver:
        """Take the message of the session's transaction; it has no queue id."""
        conversation: Conversation | None = session.transaction.verdicts.get(_MEMORY)
        if conversation is not None:
            conversation.owned = True
        return ProxyReceiver(self, session, conversation)

    async def recipient(self, session: Session, address: str) -> Reply | None:
        """Ask the filter about a recipient that the policy takes.  Unless it is connected to, it is now."""
        verdicts = session.transaction.verdicts
        conversation: Conversation | None = verdicts.get(_MEMORY)
        if conversation is None:
            conversation = Conversation(self, session)
            session.on_end = conversation.orphaned
            refusal = await conversation.begin()
            if refusal is not None:
                return refusal
        asked = session.transaction.asked
        recipient = asked if asked is not None and asked.original == address else Recipient(address)
        refusal = await conversation.recipient(recipient)
        if refusal is None:
            verdicts[_MEMORY] = conversation
        elif _MEMORY not in verdicts:  # nobody would end it
            conversation.end()
        return refusal

    async def data(self, session: Session) -> Reply | None:
        """Have the filter wait for the content."""
        conversation: Conversation | None = session.transaction.verdicts.get(_MEMORY)
        return UNAVAILABLE if conversation is None else await conversation.data()


class Conversation:
    """What is said to the filter about one message.  A coroutine's answer is None, or the refusal."""

    def __init__(self, proxy: Proxy, session: Session) -> None:
        self._proxy = proxy
        self._session = session
        self.link = ProxyLink(proxy.spec, proxy.limit, proxy.wheel, proxy.loop)
        self.owned = False  # a receiver sees to its end
        self._over = False

    async def begin(self) -> Reply | None:
        """Connect, and go as far as MAIL."""
        try:
            refusal = await self._begin()
        except ProxyError as error:
            return self.trouble(error)
        except Exception:  # what is told could not be found out
            self.end()
            raise
        if refusal is not None:
            self.end()
        return refusal

    async def _begin(self) -> Reply | None:
        proxy, session, link = self._proxy, self._session, self.link
        await dial(link, proxy.limit, proxy.loop)
        greeting = await link.ask(b"")
        if not greeting.good:
            return self._rejected("connection request", greeting, UNAVAILABLE)
        hello = await link.ask(f"EHLO {proxy.name}\r\n".encode())
        if not hello.good:
            return self._rejected(f"EHLO {proxy.name}", hello, UNAVAILABLE)
        known = parse_features(hello.raw).xforward
        if known:
            stranger = Message(0, "", [], 0.0)
            stranger.attributes = await proxy.origin.facts(session)
            stranger.attributes.setdefault("log_ident", "unknown")
            for command in introduction(stranger, known):
                reply = await link.ask(command)
                if not reply.good:
                    return self._rejected(command, reply, UNAVAILABLE)
        return await self._told(mail_line(session.transaction))

    async def recipient(self, recipient: Recipient) -> Reply | None:
        """RCPT."""
        return await self._say(rcpt_line(recipient, smtputf8=self._session.transaction.smtputf8))

    async def data(self) -> Reply | None:
        """DATA."""
        return await self._say(b"DATA\r\n", wanted=3)

    async def _say(self, command: bytes, wanted: int = 2) -> Reply | None:
        try:
            return await self._told(command, wanted)
        except ProxyError as error:
            return self.trouble(error)

    async def _told(self, command: bytes, wanted: int = 2) -> Reply | None:
        if not command:  # an address that no command may have
            return UNAVAILABLE
        reply = await self.link.ask(command)
        if reply.code // 100 == wanted:
            return None
        answer = reply_of(reply)
        # a yes of another kind than was asked for is no yes: the client must not hear one
        return self._rejected(command, reply, UNAVAILABLE if answer.accepts else answer)

    def _rejected(self, command: bytes | str, reply: ServerReply, answer: Reply) -> Reply:
        text = command if isinstance(command, str) else printable(command.rstrip())
        self._proxy.log.emit(REJECTED, self._proxy.spec.name, text, reply.text)
        return answer

    def trouble(self, error: ProxyError) -> Reply:
        """Log why the filter could not be asked; return what the client hears."""
        if not self._over:
            self._proxy.log.emit(TROUBLE, str(error))
        self.link.close()
        return UNAVAILABLE

    def orphaned(self) -> None:
        """The client is gone, perhaps while the filter was being asked about its first recipient."""
        if not self.owned:
            self._over = True
            self.end()

    def end(self, *, whole: bool = True) -> None:
        """Take leave; not ``whole``: in the middle of a message, of which the filter must see no end."""
        self.link.close(QUIT if whole else b"")


class ProxyReceiver:
    """One message on its way to the filter; implements ``model.ports.Receiver``.

    The content is made fit for the wire anew: what the client's dots and line ends were plays no part.
    """

    __slots__ = (
        "_conversation",
        "_encoder",
        "_failure",
        "_outbox",
        "_proxy",
        "_session",
        "_started",
        "_then",
    )

    def __init__(self, proxy: Proxy, session: Session, conversation: Conversation | None) -> None:
        self._proxy = proxy
        self._session = session
        self._conversation = conversation
        self._encoder = ContentEncoder(0)
        self._outbox = Outbox(proxy.directory)
        self._failure: Exception | None = None
        self._started = False  # something of the content has come
        self._then: Callable[[Reply], None] | None = None

    def feed(self, data: bytes) -> None:
        """Take a piece; it goes on at once unless the filter is slow, or not to be told yet."""
        if self._failure is not None:
            return
        try:
            self._start()
            self._outbox.put(self._encoder.encode(data))
            self._pump()
        except OSError as error:
            self._failure = error

    def commit(self, then: Callable[[Reply], None], judge: Judge | None = None) -> None:
        """Send the rest; ``then`` gets the filter's reply.  Milters are shown no content (MILTER_README)."""
        del judge
        self._then = then
        tasks.start(self._finish(), self._answered)

    def abort(self) -> None:
        """Forget the message; the filter sees no end of it."""
        if self._then is None:
            self._close(whole=not self._started)

    def _start(self) -> None:
        if self._started:
            return
        self._started = True
        self._outbox.put(self._encoder.encode(self._proxy.origin.heading(self._session)))
        if self._conversation is not None:
            self._conversation.link.on_room = self._pump

    def _pump(self) -> None:
        """Write as much as the filter takes."""
        if self._conversation is None:
            return
        link, outbox = self._conversation.link, self._outbox
        try:
            while outbox and not link.blocked:
                link.write(outbox.take())
        except OSError as error:
            self._failure = error

    async def _finish(self) -> Reply:
        """Bring the message to its end, and return what the filter says to it."""
        if self._failure is not None:
            raise self._failure
        self._start()
        self._outbox.put(self._encoder.finish())
        conversation = self._conversation
        if conversation is None:
            conversation = self._conversation = Conversation(self._proxy, self._session)
            refusal = await conversation.begin() or await self._address(conversation)
            if refusal is not None:
                return refusal
        link = conversation.link
        link.on_room = None
        early = link.early()
        if early is not None:
            if early.code // 100 in (4, 5):  # it does not wait for the end
                return reply_of(early)
            raise ProxyError(f"received garbage from proxy {self._proxy.spec.name}: {early.text}")
        while self._outbox:
            await link.drain()
            link.write(self._outbox.take())
        reply = await link.ask(b"")
        return reply_of(reply)

    async def _address(self, conversation: Conversation) -> Reply | None:
        """Tell a filter that was not to be disturbed before whom the message is for."""
        for recipient in self._session.transaction.recipients:
            refusal = await conversation.recipient(recipient)
            if refusal is not None:
                return refusal
        return await conversation.data()

    def _answered(self, reply: Reply | None, error: BaseException | None) -> None:
        whole = reply is not None
        if reply is None:
            reply = UNAVAILABLE
            self._proxy.log.emit(
                TROUBLE, str(error) if isinstance(error, ProxyError) else f"proxy: {error!r}"
            )
        self._log(reply)
        self._close(whole=whole)
        then, self._then = self._then, None
        if then is not None:
            then(reply)

    def _close(self, *, whole: bool) -> None:
        self._outbox.close()
        conversation, self._conversation = self._conversation, None
        self._failure = self._failure or ProxyError("it is over")
        if conversation is not None:
            conversation.end(whole=whole)

    def _log(self, reply: Reply) -> None:
        session = self._session
        transaction = session.transaction
        recipients = transaction.recipients
        self._proxy.log.emit(
            ENDED,
            "accept" if reply.accepts else "reject",
            reply.line(),
            to_external(transaction.sender or ""),
            to_external(recipients[0].original) if recipients else "",
            session.protocol,
            session.helo,
        )


class ProxiedPolicy:
    """A service's policy, and behind it the filter; implements ``model.ports.Policy``."""

    def __init__(self, policy: Policy, proxy: Proxy) -> None:
        self._policy = policy
        self._proxy = proxy
        self._inner = getattr(policy, "stages", _ASKED)
        self.stages: frozenset[str] = self._inner | {"recipient", "data"}
        self.connect, self.helo, self.mail = policy.connect, policy.helo, policy.mail
        self.end_of_data, self.verify, self.etrn = policy.end_of_data, policy.verify, policy.etrn

    async def routing(self, session: Session, address: str) -> Reply | None:
        """MAIL, RCPT or VRFY: what an address leads to is the policy's to say."""
        return await self._policy.routing(session, address)

    async def recipient(self, session: Session, address: str) -> Reply | None:
        """RCPT: the filter is asked about whom the policy takes."""
        reply = await result(self._policy.recipient(session, address)) if "recipient" in self._inner else None
        if reply is not None and not reply.accepts:
            return reply
        return await self._proxy.recipient(session, address)

    async def data(self, session: Session) -> Reply | None:
        """DATA, or the first BDAT."""
        reply = await self._policy.data(session) if "data" in self._inner else None
        if reply is not None and not reply.accepts:
            return reply
        return await self._proxy.data(session)
