"""What a session's hooks do without asking anybody: the log, and lists of commands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from postroad.base.errors import TableUnavailable
from postroad.base.ids import id_of
from postroad.model.reply import Reply
from postroad.model.session import Session
from postroad.proto.authentication import quotable
from postroad.proto.hooks import Notice
from postroad.smtpd import events
from postroad.smtpd import params as p
from postroad.smtpd.refusal import concerning, record_of

if TYPE_CHECKING:
    from postroad.smtpd.connection import Connection
    from postroad.smtpd.service import SmtpdService


class Notes:
    """A part of ``SessionHooks``; see ``proto.hooks``."""

    __slots__ = ("_connection", "_service", "_session", "candidate", "reason")

    def __init__(self, service: SmtpdService, session: Session, connection: Connection) -> None:
        self._service = service
        self._session = session
        self._connection = connection
        self.candidate = ""  # the recipient that is being looked at
        self.reason = ""  # why the session ends before its time

    def rewrite(self, command: str) -> str | None:
        """Replace a command as smtpd_command_filter says."""
        try:
            found = self._service.commands.rewritten(command)
        except TableUnavailable as error:
            event, client = events.FAILED, self._session.client.named_address
            self._service.log.emit(event, client, p.COMMAND_FILTER.name, error)
            return None
        if found is None:
            return command
        machine, client = self._connection.machine, self._session.client.named_address
        shown = [quotable(machine, each[:100]) for each in (command, found)]
        self._service.log.emit(events.REPLACED, client, *shown)
        return found

    def is_noop(self, word: str) -> bool:
        """Whether the word is among smtpd_noop_commands."""
        return self._service.commands.is_noop(word)

    def is_forbidden(self, word: str) -> bool:
        """Whether the word is among smtpd_forbidden_commands."""
        return self._service.commands.is_forbidden(word)

    @property
    def queue_id(self) -> str:
        """Return the transaction's queue id, or what stands for it."""
        key = self._session.transaction.queue_key
        return id_of(key) if key else "NOQUEUE"

    def refused(self, reply: Reply, *, logged: bool = False) -> None:
        """Log a refusal, unless that was done, and keep it for who asks later why."""
        session, where = self._session, self._connection.machine.where
        concerned = self.candidate if where not in ("MAIL", "HELO", "EHLO", "ETRN", "CONNECT") else ""
        if not logged:
            client = session.client.named_address
            words = reply.line(), concerning(session, concerned)
            self._service.log.emit(events.REFUSED, self.queue_id, "reject", where, client, *words)
        note = self._service.note_refusal
        if note is not None:
            service = self._service.name
            note(record_of(session, reply, now=self._service.now(), service=service, queue_id=self.queue_id, command=where, recipient=concerned))  # fmt: skip  # noqa: E501

    def footer(self, reply: Reply) -> Reply:
        """Add smtpd_reject_footer."""
        return self._service.footers.add(reply, self._session.client, self._session)

    def notice(self, notice: Notice, detail: str = "") -> None:
        """Log what the machine has to tell."""
        service = self._service
        client = self._session.client.named_address
        if notice is Notice.TOO_MANY_ERRORS:
            self.reason = "too many errors"
        elif notice is Notice.LONG_LINE:
            service.log.emit(events.LONG_LINE, client, self._connection.machine.inbox.limit, detail)
        else:
            event, values = events.NOTICES[notice]
            facts = {"q": self.queue_id, "c": client, "w": self._connection.machine.where, "d": detail}
            service.log.emit(event, *(facts[value] for value in values))
