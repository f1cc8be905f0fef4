"""One question to a restriction list: who asks, about what, and what has been put off so far."""

from __future__ import annotations

import re
from typing import Final

from postroad.base.log import Event, Log
from postroad.mail.address import to_external
from postroad.model.reply import Reply
from postroad.model.session import Session
from postroad.policy.trail import Hit, Notes
from postroad.policy.verdict import Check

REJECT_WARNING = Event(
    "smtpd",
    "%s: %s: %s from %s: %s;%s",
    "A restriction behind warn_if_reject would have refused.",
)
ACTION = Event(
    "smtpd",
    "%s: %s: %s from %s: %s;%s",
    "An access table asks for something (hold, discard, filter, redirect, bcc), or to log (info, warn).",
)
BAD_CODE = Event(
    "smtpd",
    "warning: SMTP reply code configuration error: %s",
    "A reply code parameter is not 4xx or 5xx; the client hears 450 4.7.1.",
    urgent=True,
)
BAD_STATUS = Event(
    "smtpd",
    "warning: DSN detail code configuration error: %s",
    "A restriction's enhanced status code is malformed; the client hears 450 4.7.1.",
    urgent=True,
)
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f]")
_STATUS = re.compile(r"[245]\.[0-9]{1,3}\.[0-9]{1,3}")
_LONGEST = 510  # RFC 5321 4.5.3.1.5: a reply line has at most 512 octets, CRLF included

#: What a refusal says was rejected.
CLIENT: Final = "Client host"
REVERSE_CLIENT: Final = "Unverified Client host"
LOGIN: Final = "SASL login name"
CERTIFICATE: Final = "Client certificate"
HELO: Final = "Helo command"
SENDER: Final = "Sender address"
RECIPIENT: Final = "Recipient address"
DATA: Final = "Data command"
END_OF_DATA: Final = "End-of-data"
ETRN: Final = "Etrn command"


class Query:
    """The state of one evaluation, from one SMTP command.

    ``name`` and ``kind`` are what a refusal speaks of: ``<name>: kind rejected: ...``.
    ``recipient`` is "" where there is none, or several.  ``put_off`` keeps the first
    defer_if_permit, which turns a final yes into that 4xx; ``doubt`` keeps the first
    defer_if_reject, which takes the place of a 5xx.  ``stop`` is set when both are there, for then
    nothing further can change the answer; ``turned`` says that run() has to call ``turn``, because one
    of them has come.  ``discarded``: the message will be thrown away, so that
    no further restriction is asked about it.  ``depth`` counts lists inside lists.  ``size`` is that of
    the content, once it is there.  ``unanswered``: what is run stands for a policy server's answer.
    ``hit`` is the last value that an access table gave, ``notes`` which restrictions decided: None
    until one refuses or puts off.
    """

    __slots__ = (
        "command",
        "depth",
        "discarded",
        "domain",
        "doubt",
        "hit",
        "kind",
        "log",
        "name",
        "notes",
        "put_off",
        "recipient",
        "recipient_checked",
        "sender_checked",
        "session",
        "size",
        "soft_bounce",
        "stop",
        "turned",
        "unanswered",
        "warn",
    )

    def __init__(
        self, session: Session, command: str, log: Log, soft_bounce: bool, recipient: str = ""
    ) -> None:
        self.session = session
        self.command = command
        self.log = log
        self.soft_bounce = soft_bounce
        self.name = ""
        self.kind = CLIENT
        self.recipient = recipient
        self.domain = ""  # ETRN's argument
        self.size = 0
        self.unanswered = False
        self.put_off: Reply | None = None
        self.doubt: Reply | None = None
        self.stop = self.turned = False
        self.hit: Hit | None = None
        self.notes: Notes | None = None
        self.depth = 0
        actions = session.transaction.actions
        self.discarded = bool(actions) and "DISCARD" in actions
        self.warn = False
        self.recipient_checked = False
        self.sender_checked = False

    def begin(self, name: str, kind: str) -> None:
        """Turn to the list of another protocol stage; what was put off stays put off."""
        self.name = name
        self.kind = kind
        self.doubt = None
        self.stop = self.turned = False
        self.warn = False

    def decided(self, checks: tuple[Check, ...], check: Check) -> None:
        """Note that a restriction has decided; those of inner lists come first."""
        if self.notes is None:
            self.notes = Notes()
        self.notes.path.append((checks, check))

    def turn(self, checks: tuple[Check, ...], check: Check) -> bool:
        """Note that a restriction has put something off; return whether that ends the list."""
        if self.notes is not None:
            self.notes.mark(self.depth, checks, check)
        self.turned = self.stop or self.depth > 0
        return self.stop

    def _begin_mark(self, kind: str) -> None:
        if self.notes is None:
            self.notes = Notes()
        self.notes.begin(kind, self.depth, self.hit)
        self.turned = True

    def rejected(self, code: int, status: str, why: str) -> Reply:
        """Return the refusal of what the list is about: ``<name>: kind rejected: why``."""
        return Reply(code, status, f"<{self.name}>: {self.kind} rejected: {why}")

    def note(self, action: str, text: str) -> None:
        """Log what an access table asked for."""
        self._log(ACTION, action, text)

    def defer_if_permit(self, reply: Reply) -> Reply | None:
        """Remember a 4xx that takes the place of a final yes; under warn_if_reject refuse at once."""
        if self.warn:
            return reply
        if self.put_off is None:
            self.put_off = reply
            self._begin_mark("put_off")
        self.stop = self.doubt is not None
        self.turned = self.turned or self.stop
        return None

    def defer_if_reject(self, reply: Reply) -> None:
        """Remember a 4xx that takes the place of a later 5xx."""
        if self.doubt is None:
            self.doubt = reply
            self._begin_mark("doubt")
        self.stop = self.put_off is not None
        self.turned = self.turned or self.stop

    def refuse(self, reply: Reply, *, always: bool = False) -> Reply | None:
        """Return the refusal as the client hears it, or None when it is only warned of.

        ``always`` is for errors of ours, which warn_if_reject must not hide.
        """
        reply = self._checked(reply)
        if self.warn and not always:
            self._log(REJECT_WARNING, "reject_warning", self._final(reply).line())
            return None
        if reply.code >= 500 and self.doubt is not None:
            reply, self.doubt = self._checked(self.doubt), None
        return self._final(reply)

    def _final(self, reply: Reply) -> Reply:
        code, status, text = reply.code, reply.status, reply.text
        if self.soft_bounce and code >= 500:
            code -= 100
        # The SMTP code has precedence over the enhanced one.  RFC 3463 2: the class is its first digit.
        status = f"{code // 100}{status[1:]}"
        if not (text.isascii() and text.isprintable()):
            text = _UNPRINTABLE.sub(" ", text)
        room = _LONGEST - len(status) - 5
        return Reply(code, status, text[:room] if len(text) > room else text)

    def _checked(self, reply: Reply) -> Reply:
        """Return the reply, or a generic one in its place when its codes are nonsense."""
        if not 400 <= reply.code <= 599:
            self.log.emit(BAD_CODE, reply.line())
        elif _STATUS.fullmatch(reply.status) is None:
            self.log.emit(BAD_STATUS, reply.line())
        else:
            return reply
        return Reply(450, "4.7.1", "Service unavailable")

    def _log(self, event: Event, what: str, text: str) -> None:
        session = self.session
        client = session.client.named_address
        context = context_of(session, self.recipient)
        self.log.emit(event, queue_name(session), what, self.command, client, text, context)


def queue_name(session: Session) -> str:
    """Return the queue id of the transaction, or NOQUEUE."""
    key = session.transaction.queue_key
    return f"{key:015X}" if key else "NOQUEUE"


def context_of(session: Session, recipient: str) -> str:
    """Return `` from=<..> to=<..> proto=.. helo=<..>``, as far as they are known."""
    parts = []
    if session.transaction.sender is not None:
        parts.append(f" from=<{to_external(session.transaction.sender)}>")
    if recipient:
        parts.append(f" to=<{to_external(recipient)}>")
    parts.append(f" proto={session.protocol}")
    if session.helo:
        parts.append(f" helo=<{session.helo}>")
    return "".join(parts)
