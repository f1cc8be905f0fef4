"""AUTH: the client says who it is, in a dialogue of challenges and responses (RFC 4954)."""

from __future__ import annotations

import binascii
import re
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from postroad.model.reply import Reply
from postroad.proto.hooks import Notice
from postroad.proto.machine import IN_MAIL, INSIDE, Verb
from postroad.proto.words import Word

if TYPE_CHECKING:
    from postroad.proto.server import ServerSession

_CHALLENGE = 334
_NOT_ENABLED = Reply(503, "5.5.1", "Error: authentication not enabled")
_TWICE = Reply(503, "5.5.1", "Error: already authenticated")
_SYNTAX = Reply(501, "5.5.4", "Syntax: AUTH mechanism")
_ABORTED = Reply(501, "5.7.0", "Authentication aborted")
_TOO_LONG = Reply(500, "5.5.6", "SASL response limit exceeded")
_BAD_MECHANISM = "Invalid authentication mechanism"
_BAD_INITIAL = "Invalid base64 data in initial response"
_HIDDEN = "(not shown: it may be a secret)"
_SECRET = re.compile(r"^([ \t]*AUTH[ \t]+[^ \t\r\n]+)[ \t\r\n].*", re.IGNORECASE | re.DOTALL | re.MULTILINE)
_BAD_RESPONSE = "Invalid base64 data in continued response"


def quotable(server: ServerSession, text: str) -> str:
    """Return what the log may have of a client's input.

    A client that does not wait for replies sends its password as a command if AUTH is refused: nothing
    of a session that has used AUTH is shown, and nothing that stands behind an AUTH command.
    """
    return _HIDDEN if server.counts[Verb.AUTH] else _SECRET.sub(rf"\1 {_HIDDEN}", text)


def begin(server: ServerSession, found: Sequence[Word]) -> None:
    """Take the command, unless the client has sent too many: all count, even those that cannot be used."""
    server.ask(server.hooks.auth_command(), partial(_counted, server, found))


def _counted(server: ServerSession, found: Sequence[Word], refusal: Reply | None) -> None:
    if refusal is not None:
        server.refuse(refusal)
        return
    if server.helo_missing():
        return
    offered = server.hooks.mechanisms() if server.options.auth and "auth" not in server.discards else ""
    if not offered:
        server.refuse(_NOT_ENABLED)
    elif server.state in INSIDE:
        server.refuse(IN_MAIL)
    elif server.session.sasl_method:
        server.refuse(_TWICE)
    elif not 2 <= len(found) <= 3:
        server.refuse(_SYNTAX)
    else:
        _begin_with(server, offered, *found[1:])


def _begin_with(server: ServerSession, offered: str, name: str, initial: str | None = None) -> None:
    mechanism = name.upper()
    if mechanism not in offered.split():
        _fail(server, _printable(name), _BAD_MECHANISM)
        return
    response = None
    if initial is not None:
        # RFC 4954 4: a lone "=" is an initial response of no bytes.
        response = b"" if initial == "=" else _decode(initial.encode("utf-8", "surrogateescape"))
        if response is None:
            _fail(server, mechanism, _BAD_INITIAL)
            return
    server.mechanism = mechanism
    server.ask(server.hooks.auth(mechanism, response), lambda reply: _answered(server, reply))


def respond(server: ServerSession, line: bytes) -> None:
    """Take a line that came after a challenge."""
    mechanism = server.mechanism
    if len(line) >= server.inbox.limit:
        server.hooks.auth_cancel()
        _end(server)
        server.refuse(_TOO_LONG)
        return
    if line == b"*":
        server.hooks.auth_cancel()
        server.hooks.notice(Notice.AUTH_ABORTED, mechanism)
        _end(server)
        server.refuse(_ABORTED)
        return
    response = _decode(line)
    if response is None:
        _end(server)
        _fail(server, mechanism, _BAD_RESPONSE)
        return
    server.ask(server.hooks.auth_response(response), lambda reply: _answered(server, reply))


def _answered(server: ServerSession, reply: Reply | None) -> None:
    if reply is not None and reply.code == _CHALLENGE:
        server.expect_response()
        server.say(bytes(reply))
        return
    _end(server)
    if reply is not None and reply.accepts:
        server.accept(bytes(reply))
    else:
        server.refuse(reply or _NOT_ENABLED)


def _end(server: ServerSession) -> None:
    """Go back to commands."""
    server.mechanism = ""
    server.expect_command()


def _fail(server: ServerSession, mechanism: str, reason: str) -> None:
    server.hooks.auth_failed(mechanism, reason)
    server.refuse(Reply(535, "5.7.8", f"Error: authentication failed: {reason}"))


def _decode(text: bytes) -> bytes | None:
    """RFC 4648 4, without any leniency; None for what is not base64."""
    try:
        return binascii.a2b_base64(text, strict_mode=True) if text else b""
    except ValueError:
        return None


def _printable(name: str) -> str:
    return "".join(char if char.isascii() and char.isprintable() else "?" for char in name[:100])
