"""BDAT: the message in chunks of a known size (RFC 3030)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from postroad.model.reply import Reply
from postroad.proto import incoming
from postroad.proto.hooks import Notice
from postroad.proto.machine import NEED_RCPT, NO_RECIPIENTS, State, Verb

if TYPE_CHECKING:
    from postroad.proto.server import ServerSession

_BAD_SYNTAX = Reply(521, "5.5.4", "Syntax: BDAT count [LAST]")
_DISABLED = Reply(521, "5.5.1", "Error: command not implemented")
_NULL = Reply(551, "5.7.1", "Null BDAT request")
_TOO_LARGE = Reply(552, "5.3.4", "Chunk exceeds message size limit")
_MOST_DIGITS = 18


class Chunk:
    """The chunk that is being read.  With a ``refusal`` it is read past, and then that is the answer."""

    __slots__ = ("finished", "last", "left", "refusal", "size")

    def __init__(self, size: int, *, last: bool, refusal: Reply | None = None) -> None:
        self.size = size
        self.left = size
        self.last = last
        self.refusal = refusal
        self.finished = False


def begin(server: ServerSession, found: Sequence[str]) -> None:
    """BDAT.  Bad syntax ends the session, because the size of what follows is not known then."""
    if "chunking" in server.discards:
        server.refuse(_DISABLED)
        return
    size = found[1] if len(found) in (2, 3) else ""
    digits = size.lstrip("0") or "0"
    good = size.isascii() and size.isdigit() and len(digits) <= _MOST_DIGITS
    if not good or (len(found) == 3 and found[2].upper() != "LAST"):
        server.hooks.notice(Notice.BAD_CHUNK, " ".join(found)[:100])
        server.refuse(_BAD_SYNTAX)
        return
    chunk = server.chunk = Chunk(int(digits), last=len(found) == 3)
    chunk.refusal = _refusal(server, chunk)
    if chunk.refusal is None and server.state is State.RCPT:
        server.ask(server.hooks.data(), lambda reply: _opened(server, chunk, reply))
        return
    if chunk.refusal is None:
        _limit(server, chunk)


def _refusal(server: ServerSession, chunk: Chunk) -> Reply | None:
    state = server.state
    if state in (State.SPOILED, State.STRAY):
        return Reply(551, "5.0.0", f"Discarded {chunk.size} bytes after earlier error")
    if chunk.size == 0 and not chunk.last:  # RFC 3030 2 allows it; nobody needs it, floods use it
        server.hooks.notice(Notice.NULL_CHUNK)
        return _NULL
    if state is State.IDLE:
        return NEED_RCPT
    return NO_RECIPIENTS if state is State.MAIL else None


def _opened(server: ServerSession, chunk: Chunk, reply: Reply | None) -> None:
    if reply is not None and not reply.accepts:
        chunk.refusal = reply
    else:
        _limit(server, chunk)
        if chunk.refusal is None:
            server.reader = incoming.new_reader(server, dots=False)


def _limit(server: ServerSession, chunk: Chunk) -> None:
    limit = server.options.size_limit
    if limit and server.size + chunk.size > limit:
        server.hooks.notice(Notice.LARGE_CHUNK)
        chunk.refusal = _TOO_LARGE


def feed(server: ServerSession, data: bytes) -> None:
    """Take octets of the chunk; answer when it is complete."""
    chunk, reader = server.chunk, server.reader
    if chunk is None:
        return
    chunk.left -= len(data)
    if chunk.refusal is None and reader is not None:
        if data:
            incoming.take(server, reader.feed(data))
        if chunk.last and not chunk.left:
            incoming.take(server, reader.finish())
    if chunk.left:
        return
    chunk.finished = True
    server.verb = Verb.BDAT
    if chunk.refusal is None and reader is not None and not chunk.last:
        incoming.refuse_bare(server, reader)
    if chunk.refusal is not None:
        _spoil(server, chunk, chunk.refusal)
    elif chunk.last:
        incoming.complete(server)
    elif server.refusal is not None:
        _spoil(server, chunk, server.refusal)
    else:
        server.chunk = None
        server.accept(f"250 2.0.0 Ok: {chunk.size} bytes\r\n".encode())


def _spoil(server: ServerSession, chunk: Chunk, refusal: Reply) -> None:
    """Answer a refused chunk; what the client pipelined behind it is read past until LAST or RSET."""
    server.chunk = None
    server.refuse(refusal)
    if server.closed:
        return
    if chunk.last:
        server.drop()
        server.state = State.IDLE
    else:
        inside = server.state in (State.MAIL, State.RCPT, State.CHUNKS, State.SPOILED)
        server.state = State.SPOILED if inside else State.STRAY
