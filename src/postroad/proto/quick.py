"""Commands as nearly every client sends them: one look at the line, and none of the general parsers."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from postroad.proto import commands
from postroad.proto.hostname import valid_hostname
from postroad.proto.machine import Verb
from postroad.proto.options import ServerOptions
from postroad.proto.words import Word

if TYPE_CHECKING:
    from postroad.proto.server import ServerSession

LIMIT = 255  # longer lines take the general way, which looks at the domain's length

_ENVELOPE = re.compile(
    rb"(?:(MAIL) FROM|RCPT TO):<(?:((?!-)[A-Za-z0-9#$&'*+/=?^_`{|}~.-]+@([A-Za-z0-9.-]+)))?>"
    rb"(?: ([!#-;=?-\[\]-~ ]*))?(?:\r\n)?"
)
_GREETING = re.compile(rb"(?:(EHLO)|HELO) ([A-Za-z0-9_.-]+)(?:\r\n)?")
_ALONE = [Word("")]  # the words of a command that has no parameters
_WORDS = {
    name.encode() + end: (name, *commands.HANDLERS[name])
    for name in ("DATA", "RSET", "NOOP", "QUIT")
    for end in (b"", b"\r\n")
}
_HELO, _EHLO, _MAIL, _RCPT = Verb.HELO, Verb.EHLO, Verb.MAIL, Verb.RCPT


def limit(options: ServerOptions) -> int:
    """Return how long a line may be that ``quick`` looks at; it knows of no lists and filters of commands."""
    return 0 if options.noop_words or options.filtered else min(LIMIT, options.line_limit)


def quick(server: ServerSession, line: bytes) -> bool:
    """Deal with a well-formed command; False when the general way must look at the line.

    The line is no longer than ``LIMIT``, and comes with its CRLF or without its line end.
    """
    match = _ENVELOPE.fullmatch(line)
    if match is None:
        return _other(server, line)
    mail, address, domain, words = match.groups()
    if not (_is_domain(domain) if address else mail):
        return False
    options = words.decode().split() if words else ()
    if mail:
        server.counts[_MAIL] += 1
        server.verb = _MAIL
        server.where = "MAIL"
        if server.in_step(_MAIL) and not server.helo_missing():
            commands.mail_read(server, address.decode() if address else "", options)
    else:
        server.counts[_RCPT] += 1
        server.verb = _RCPT
        server.where = "RCPT"
        if server.in_step(_RCPT):
            commands.rcpt_read(server, address.decode(), options)
    return True


@lru_cache(4096)
def _is_domain(name: bytes) -> bool:
    return valid_hostname(name.decode())


def _other(server: ServerSession, line: bytes) -> bool:
    """Deal with a command without parameters, or with a greeting."""
    found = _WORDS.get(line)
    if found is not None:
        name, verb, handler = found
        server.counts[verb] += 1
        server.verb = verb
        server.where = name
        if server.in_step(verb):
            handler(server, _ALONE)
        return True
    match = _GREETING.fullmatch(line)
    if match is None:
        return False
    extended, said = match.groups()
    verb = _EHLO if extended else _HELO
    server.counts[verb] += 1
    server.verb = verb
    server.where = "EHLO" if extended else "HELO"
    if server.in_step(verb):
        commands.helo_said(server, said.decode(), harmless=True)
    return True
