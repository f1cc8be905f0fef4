"""STARTTLS: what is said about it in plain text, and what is forgotten then (RFC 3207)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from postroad.model.reply import Reply
from postroad.proto.hooks import PENDING
from postroad.proto.machine import State, Verb
from postroad.proto.words import Word

if TYPE_CHECKING:
    from postroad.proto.server import ServerSession

_READY = b"220 2.0.0 Ready to start TLS\r\n"
_ACTIVE = Reply(554, "5.5.1", "Error: TLS already active")
_UNKNOWN = Reply(502, "5.5.1", "Error: command not implemented")


def begin(server: ServerSession, found: Sequence[Word]) -> None:
    """Take the command."""
    if len(found) > 1:
        server.refuse(Reply(501, "5.5.4", "Syntax: STARTTLS"))
    elif server.session.tls_facts is not None:
        server.refuse(_ACTIVE)
    elif not server.options.starttls or "starttls" in server.discards:
        server.refuse(_UNKNOWN)
    else:
        server.ask(server.hooks.starttls(), lambda reply: _answered(server, reply))


def _answered(server: ServerSession, reply: Reply | None) -> None:
    if reply is not None and not reply.accepts:
        server.refuse(reply)
        return
    if server.backlog:
        # What came behind the command in plain text may be another's words, which would be taken for the
        # client's once TLS is there (CVE-2011-0411).  An honest client waits for the reply.
        if not server.improper:
            server.note_improper()
        server.out_of_step()
        return
    server.drop()
    session = server.session
    # RFC 3207 4.2: nothing that was said in plain text counts.
    session.helo, session.protocol = "", "SMTP"
    session.sasl_username = session.sasl_method = ""
    server.out.append(_READY)  # never held back: the driver goes on as soon as it is written
    server.upgrading = True
    server.ask(PENDING, lambda _reply: _shaken(server))


def _shaken(server: ServerSession) -> None:
    """The session is encrypted now."""
    server.upgrading = False
    server.state = State.IDLE
    server.accepted[Verb.STARTTLS] += 1
