"""A line of the client: a command, or a response while it authenticates itself."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from postroad.model.reply import Reply
from postroad.proto import authentication, commands, incoming, quick, words
from postroad.proto.hooks import Notice
from postroad.proto.machine import State, Verb
from postroad.proto.options import BareNewline

if TYPE_CHECKING:
    from postroad.proto.server import ServerSession

_HOSTILE = b"221 2.7.0 Error: I can break rules, too. Goodbye.\r\n"


def read(server: ServerSession) -> bool:
    """Take one line from the input and look at it; False when there is no whole one."""
    inbox = server.inbox
    line = inbox.line()
    if inbox.long:
        text = authentication.quotable(server, inbox.long.decode("utf-8", "replace"))
        server.hooks.notice(Notice.LONG_LINE, text)
        inbox.long = b""
    if line is not None:
        _take(server, line)
    elif inbox.endless:
        server.tell(Reply(500, "5.5.2", "Error: line too long"))
        server.finish()
    return line is not None


def _take(server: ServerSession, line: bytes) -> None:
    if server.bare is BareNewline.REJECT and server.inbox.bare:
        refusal = incoming.bare_refusal(server)
        server.hooks.refused(refusal)
        server.tell(refusal)
        server.finish()
    elif server.mechanism:
        authentication.respond(server, line)
    elif len(line) > server.quick or not quick.quick(server, line):
        _command(server, line)


def _command(server: ServerSession, line: bytes) -> None:
    if b"\0" in line:  # smtpd's strings end there
        line = line[: line.index(b"\0")]
    try:
        text = line.decode("utf-8", "strict" if server.options.smtputf8 else "surrogateescape")
    except UnicodeDecodeError:
        _complain(server, "Error: bad UTF-8 syntax")
        return
    if server.options.filtered:
        replaced = server.hooks.rewrite(text.lstrip(" \t"))
        if replaced is None:
            server.tell(Reply(421, "4.3.0", f"{server.options.hostname} Server local data error"))
            return
        text = replaced
    found = words.split(text)
    if not found:
        _complain(server, "Error: bad syntax")
    elif server.options.noop_words and server.hooks.is_noop(found[0]):
        server.say(commands.OK)
        server.count_junk()
    else:
        _dispatch(server, text, found)


def _complain(server: ServerSession, text: str) -> None:
    """Answer a line that is no command; it is an error, but not counted as a command."""
    server.tell(Reply(500, "5.5.2", text))
    server.errors += 1


def _dispatch(server: ServerSession, text: str, found: list[words.Word]) -> None:
    handler = commands.HANDLERS.get(found[0].upper())
    verb = server.verb = handler[0] if handler is not None else Verb.UNKNOWN
    if handler is None and not _known_to_no_one(server, text, found[0]):
        return
    server.counts[verb] += 1
    if server.state is State.DENIED and verb is not Verb.QUIT:
        client = server.session.client.named_address
        server.tell(Reply(503, "5.7.0", f"Error: access denied for {client}"))
        server.errors += 1
    elif handler is None:
        server.ask(server.hooks.unknown(text), partial(_unknown, server))
    else:
        server.where = verb.name
        if server.in_step(verb):
            handler[1](server, found)


def _unknown(server: ServerSession, reply: Reply | None) -> None:
    server.refuse(reply or Reply(500, "5.5.2", "Error: command not recognized"))


def _known_to_no_one(server: ServerSession, text: str, word: str) -> bool:
    """Whether an unknown word is only that; False when the client speaks another protocol."""
    server.where = "UNKNOWN"
    name, colon, _ = word.partition(":")
    header = bool(colon) and all("!" <= char <= "~" for char in name)
    if header or (server.options.forbidden_words and server.hooks.is_forbidden(word)):
        server.counts[Verb.UNKNOWN] += 1
        server.hooks.notice(Notice.FOREIGN, authentication.quotable(server, text[:100]))
        server.say(_HOSTILE)
        server.finish()
        return False
    return True
