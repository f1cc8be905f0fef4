"""The milters of one SMTP session, one after the other, each on what those before it have made."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Iterator, Sequence

from postroad.base.ids import id_of
from postroad.base.log import Event, Log
from postroad.filters.edits import edited_header, own_field
from postroad.filters.macros import Moment
from postroad.filters.milter import Filtered, Milter, Said
from postroad.mail.address import to_external
from postroad.mail.header import fields
from postroad.model.filters import Body, EnvelopeEdit, FilterOutcome
from postroad.model.reply import Reply
from postroad.model.session import Session
from postroad.proto import xtext
from postroad.proto.milter import codec
from postroad.proto.milter.edits import Edits, TooLarge
from postroad.proto.milter.machine import UNAVAILABLE

_SESSION = Event("smtpd", "%s: milter-%s: %s from %s: %s;%s", "A milter judged a session or an envelope.")
_MESSAGE = Event("cleanup", "%s: milter-%s: %s from %s: %s; %s", "A milter judged a message.")
_END = "END-OF-MESSAGE"
_HOLD = "milter triggers HOLD action"
_DISCARD = "milter triggers DISCARD action"
_TOO_LARGE = Reply(552, "5.3.4", "Message size exceeds fixed limit")
_CANNOT_REJECT = Reply(451, "4.3.5", "Server configuration error")


class MilterSession:
    """The milters of one session; implements ``model.ports.FilterSession``.

    ``local`` is a session that there never was: of mail that did not come by SMTP.
    """

    def __init__(self, session: Session, milters: Sequence[Milter], log: Log, hostname: str, *, local: bool = False) -> None:  # fmt: skip  # noqa: E501
        self._session = session
        self._milters = milters
        self._log = log
        self._hostname = hostname
        self._local = local
        self._program = "cleanup" if local else "smtpd"
        self._closed = False

    # -- events

    async def connect(self) -> Reply | None:
        """See ``FilterSession``.  A 4xx is said to each MAIL, as Postfix does; the client is greeted."""
        client = self._session.client
        name = f"[{client.address}]" if client.name == "unknown" else client.name
        data = codec.connect_data(name, client.address, 0 if self._local else client.port)
        moment = self._moment()

        async def ask(milter: Milter) -> Said:
            said = await milter.connect(self._program)
            return said if said.reply else await milter.tell(codec.CONNECT, data, moment, self._program)

        reply = await self._each(ask, "CONNECT", moment)
        if reply is None or self._local:
            return reply
        if reply.code == 421:
            return Reply(421, "", f"{self._hostname} Service unavailable - try again later")
        return Reply(554, "", f"{self._hostname} ESMTP not accepting connections") if reply.code >= 500 else None  # fmt: skip  # noqa: E501

    async def helo(self) -> Reply | None:
        """HELO or EHLO.  But for 421, a refusal is said to each MAIL that follows, as Postfix does."""
        session = self._session
        where = session.greeting or ("EHLO" if session.protocol == "ESMTP" else "HELO")
        reply = await self._tell(codec.HELO, codec.strings(session.helo), where, self._moment())
        return reply if reply is None or self._local or reply.code == 421 else None

    async def mail(self, arguments: Sequence[str] = ()) -> Reply | None:
        """MAIL."""
        session = self._session
        words = arguments or self._mail_arguments()
        data = codec.strings(self._path(session.transaction.sender or ""), *words)
        return await self._tell(codec.MAIL, data, "MAIL", self._moment())

    async def recipient(self, address: str, refusal: Reply | None = None, arguments: Sequence[str] = ()) -> Reply | None:  # fmt: skip  # noqa: E501
        """RCPT."""
        moment = self._moment(address, refusal)
        data = codec.strings(self._path(address), *arguments)
        reply = await self._tell(codec.RCPT, data, "RCPT", moment)
        if reply is not None and self._local:
            queue_id = self._queue_id
            self._log.warning(
                "cleanup",
                f"{queue_id}: milter configuration error: can't reject recipient in non-smtpd(8) submission",
            )
            return _CANNOT_REJECT
        return reply

    async def data(self) -> Reply | None:
        """DATA or the first BDAT."""
        return await self._tell(codec.DATA, b"", "DATA", self._moment())

    async def unknown(self, command: str) -> Reply | None:
        """Take a command that SMTP does not have."""
        return await self._tell(codec.UNKNOWN, codec.strings(command), "UNKNOWN", self._moment())

    async def _tell(self, event: bytes, data: bytes, where: str, moment: Moment) -> Reply | None:
        if "DISCARD" in self._session.transaction.actions:
            return None
        tell = functools.partial(_told, event=event, data=data, moment=moment, program=self._program)
        return await self._each(tell, where, moment)

    async def _each(self, ask: Callable[[Milter], Awaitable[Said]], where: str, moment: Moment) -> Reply | None:  # fmt: skip  # noqa: E501
        """Ask one after the other, until one refuses or discards."""
        actions = self._session.transaction.actions
        for milter in self._milters:
            said = await ask(milter)
            if said.reply is not None:
                if moment.refusal is not None:
                    continue  # it was told, not asked
                self._note("reject", where, said.reply, moment.recipient)
                return said.reply
            if said.discard:
                actions["DISCARD"] = _DISCARD
                self._note("discard", where, None, moment.recipient)
                return None
            if said.hold and "HOLD" not in actions:
                actions["HOLD"] = _HOLD
                self._note("hold", where, None, moment.recipient)
        return None

    def _moment(self, recipient: str | None = None, refusal: Reply | None = None) -> Moment:
        return Moment(self._session, recipient, refusal, routed=not self._local)

    def _path(self, address: str) -> str:
        external = to_external(address)
        return external if self._local else f"<{external}>"

    def _mail_arguments(self) -> list[str]:
        """Return the parameters of MAIL as far as they are known."""
        transaction = self._session.transaction
        words = [f"SIZE={transaction.size}"] if transaction.size else []
        if transaction.eight_bit and not self._local:
            words.append("BODY=8BITMIME")
        if transaction.smtputf8:
            words.append("SMTPUTF8")
        if transaction.ret:
            words.append(f"RET={transaction.ret}")
        if transaction.envid:
            words.append(f"ENVID={xtext.encode(transaction.envid)}")
        return words

    # -- the message

    async def message(self, header: bytes, body: Body) -> FilterOutcome:
        """Show the message to each milter, as those before it left it.

        What a milter wants counts when it has said the last word, all of it; of one that fails nothing.
        """
        if "DISCARD" in self._session.transaction.actions:
            return FilterOutcome(discard=True)
        draft = _Draft(header, body)
        hold, moment = False, self._moment()
        for milter in self._milters:
            found = await milter.message(draft.shown(), draft.body, moment, "cleanup")
            if self._closed:  # the client has left: nobody may take this for an acceptance
                return FilterOutcome(UNAVAILABLE)
            said = self._edit(draft, found)
            if said.reply is not None or said.discard:
                self._note("discard" if said.reply is None else "reject", _END, said.reply, content=True)
                self.abort()
                return FilterOutcome(said.reply, discard=said.discard)
            # Postfix asks no other milter about a message that one wants held; once released it would
            # lack their signatures.
            if said.hold and not hold and "HOLD" not in self._session.transaction.actions:
                self._note("hold", _END, None, content=True)
            hold = hold or said.hold
        return draft.outcome(hold=hold)

    def _edit(self, draft: _Draft, found: Filtered) -> Said:
        """Do what a milter wants of the message; returns what it said, or that it cannot be done."""
        said, edits, space = found
        if edits is None or said.reply is not None:
            return said
        for text in edits.ignored:
            self._log.warning("cleanup", f"{self._queue_id}: {text}")
        try:
            draft.edit(edits, leading_space=space)
        except TooLarge:
            return Said(_TOO_LARGE)
        return said

    # -- the end

    def abort(self) -> None:
        """Forget the message."""
        for milter in self._milters:
            milter.abort()

    def close(self) -> None:
        """End the connections."""
        self._closed = True
        for milter in self._milters:
            milter.close()

    # -- the log

    @property
    def _queue_id(self) -> str:
        key = self._session.transaction.queue_key
        return id_of(key) if key else "NOQUEUE"

    def _note(self, action: str, where: str, reply: Reply | None, recipient: str | None = None, *, content: bool = False) -> None:  # fmt: skip  # noqa: E501
        session, transaction = self._session, self._session.transaction
        recipients = transaction.recipients
        if content and recipients and recipient is None:
            recipient = recipients[-1].original
        content = content or self._local
        tail = [] if content else [""]
        if transaction.sender is not None:
            tail.append(f"from=<{to_external(transaction.sender)}>")
        if recipient is not None:
            tail.append(f"to=<{to_external(recipient)}>")
        if not self._local:
            tail.append(f"proto={session.protocol}")
            if session.helo:
                tail.append(f"helo=<{session.helo}>")
        if reply is None:
            text = _HOLD if action == "hold" else _DISCARD
        else:
            text = reply.line()[4:] if content else reply.line()
        event = _MESSAGE if content else _SESSION
        self._log.emit(event, self._queue_id, action, where, session.client.named_address, text, " ".join(tail))  # fmt: skip  # noqa: E501


async def _told(milter: Milter, *, event: bytes, data: bytes, moment: Moment, program: str) -> Said:
    return await milter.tell(event, data, moment, program)


class _Draft:
    """A message on its way through the milters."""

    __slots__ = ("_envelope", "_first", "_header", "_own", "_pieces", "body")

    def __init__(self, header: bytes, body: Body) -> None:
        self._first = self._header = header
        self._own = own_field(header)
        self._envelope: list[EnvelopeEdit] = []
        self._pieces: tuple[bytes, ...] | None = None
        self.body = body

    def shown(self) -> Iterator[tuple[str, bytes]]:
        """Yield the fields that a milter sees: all but our own Received field, as Sendmail does it."""
        hidden = False
        for each in fields(self._header):
            if not hidden and each.raw == self._own:
                hidden = True
                continue
            name, _, value = each.raw.partition(b":")
            yield name.rstrip().decode("ascii", "replace"), value.removesuffix(b"\n").removesuffix(b"\r")

    def edit(self, edits: Edits, *, leading_space: bool) -> None:
        """Do all of a milter's edits, or none.  TooLarge."""
        if edits.header:
            self._header = edited_header(self._header, edits.header, self._own, leading_space=leading_space)
        self._envelope += edits.envelope
        if edits.body is not None:
            self._pieces = tuple(edits.body)
            self.body = functools.partial(iter, self._pieces)

    def outcome(self, *, hold: bool) -> FilterOutcome:
        """Return what has become of it."""
        header = self._header if self._header != self._first else None
        return FilterOutcome(None, tuple(self._envelope), header, self._pieces, hold)
