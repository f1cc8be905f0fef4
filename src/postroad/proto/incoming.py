"""The message on its way in: its text is handed on, its end is answered."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from postroad.model.reply import Reply
from postroad.proto.content import ContentReader, is_whole
from postroad.proto.hooks import Notice
from postroad.proto.machine import State, Verb
from postroad.proto.options import BareNewline

if TYPE_CHECKING:
    from postroad.proto.server import ServerSession

_TOO_BIG = Reply(552, "5.3.4", "Error: message file too big")
_FAILED = Reply(451, "4.3.0", "Error: internal error")


def new_reader(server: ServerSession, *, dots: bool) -> ContentReader:
    """Begin to read a message's content."""
    options = server.options
    return ContentReader(
        server.bare,
        dots=dots,
        strict_end=options.strict_end,
        replace_stray_cr=options.replace_stray_cr,
        line_limit=options.line_limit,
    )


def read(server: ServerSession, data: bytes) -> None:
    """Read text behind DATA; what follows its end goes back to the inbox, which is empty."""
    reader = server.reader
    if reader is None:  # the first bytes
        if is_whole(data):
            take(server, data[:-3])
            complete(server, plain=True)
            return
        reader = server.reader = new_reader(server, dots=True)
    text = reader.feed(data)
    if text:
        take(server, text)
    if reader.done:
        if reader.rest:
            server.inbox.add(reader.rest)
        complete(server)


def take(server: ServerSession, text: bytes) -> None:
    """Hand on text of the message, unless it is refused already."""
    if not text or server.refusal is not None:
        return
    server.size += len(text)
    limit = server.options.size_limit
    if limit and server.size > limit:
        # The rest is read past, or it would be taken for commands; what came so far is of no use.
        server.refusal = _TOO_BIG
        server.hooks.notice(Notice.TOO_BIG)
        server.opened = False
        server.hooks.discard()
    else:
        server.hooks.content(text)


def bare_refusal(server: ServerSession) -> Reply:
    """Return the refusal of a line that ends with LF alone."""
    options = server.options
    return Reply(options.bare_newline_code, "5.5.2", f"{options.hostname} Error: bare <LF> received")


def refuse_bare(server: ServerSession, reader: ContentReader) -> None:
    """Refuse the message if a line of it ended with LF alone, and none may."""
    if reader.bare and server.bare is BareNewline.REJECT and server.refusal is None:
        server.refusal = bare_refusal(server)
        server.hooks.refused(server.refusal)


def complete(server: ServerSession, *, plain: bool = False) -> None:
    """The whole message is here: ask for the reply.  ``plain``: there was no need for a reader."""
    reader, server.reader = server.reader, None
    server.verb = Verb.END
    server.where = "END-OF-MESSAGE"
    if reader is not None and reader.bare and server.refusal is None:
        if server.bare is BareNewline.NOTE:
            server.hooks.notice(Notice.BARE_LF)
        refuse_bare(server, reader)
    if server.refusal is not None:
        _answer(server, server.refusal)
        return
    server.session.transaction.plain = plain if reader is None else reader.plain
    server.opened = False  # from here on the hook commits what was opened, or gives it up
    server.ask(server.hooks.message(server.size), partial(_answer, server))


def _answer(server: ServerSession, reply: Reply | None) -> None:
    reply = reply or _FAILED  # nobody said that the message is safe
    command = Verb.DATA if server.chunk is None else Verb.BDAT
    server.chunk = None
    if reply.code < 400:
        server.errors = server.junk = 0
        server.accepted[command] += 1
        if command is Verb.BDAT:
            reply = Reply(reply.code, reply.status, reply.text.replace("Ok:", f"Ok: {server.size} bytes", 1))
        server.say(bytes(reply))
    else:
        server.tell(reply)
        server.errors += 1
    server.drop()
    if not server.closed:
        server.state = State.IDLE
