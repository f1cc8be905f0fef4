"""The server's machine as data: which command is accepted in which state, and where it leads.

An accepted command moves the machine as ``ACCEPTED`` says; a refused one never moves it.  What
``OUT_OF_ORDER`` has for a state and a verb is the answer there, and nothing else is looked at.
"""

from __future__ import annotations

from enum import IntEnum

from postroad.model.reply import Reply


class State(IntEnum):
    """Where a dialogue stands.  HELO is not a state: Postfix accepts MAIL without it."""

    IDLE = 0  # no mail transaction
    MAIL = 1  # sender accepted
    RCPT = 2  # at least one recipient accepted
    CONTENT = 3  # behind DATA: the message until its dot
    CHUNKS = 4  # at least one chunk taken
    SPOILED = 5  # a chunk was refused inside a transaction; waiting for RSET or the last chunk
    STRAY = 6  # a chunk was refused outside a transaction
    DENIED = 7  # the client was refused at connect: only QUIT
    CLOSED = 8
    PLAIN = 9  # TLS is demanded, and there is none yet


class Verb(IntEnum):
    """The commands, in the order in which a session's end counts them."""

    HELO = 0
    EHLO = 1
    XCLIENT = 2
    XFORWARD = 3
    STARTTLS = 4
    AUTH = 5
    MAIL = 6
    RCPT = 7
    DATA = 8
    BDAT = 9
    RSET = 10
    NOOP = 11
    VRFY = 12
    ETRN = 13
    QUIT = 14
    UNKNOWN = 15
    END = 16  # the final dot or the end of the last chunk: not counted


S, V = State, Verb

#: By verb: whether the junk limit counts it.  Then the verbs that must be the last of a pipelined group
#: (RFC 2920 3.1).
JUNK = tuple(verb in {V.HELO, V.EHLO, V.RSET, V.NOOP, V.VRFY, V.ETRN} for verb in Verb)
# RFC 3207 4: what came behind STARTTLS before the handshake is nobody's word.
LAST_OF_GROUP = frozenset({V.HELO, V.EHLO, V.XCLIENT, V.STARTTLS, V.DATA, V.NOOP, V.VRFY})

_ANYWHERE: dict[Verb, State | None] = {
    V.HELO: S.IDLE, V.EHLO: S.IDLE, V.RSET: S.IDLE, V.NOOP: None, V.VRFY: None, V.QUIT: S.CLOSED,
    V.STARTTLS: S.IDLE,
}  # fmt: skip
_OUTSIDE: dict[Verb, State | None] = {V.ETRN: None, V.AUTH: None, **_ANYWHERE}

#: Where an accepted command leads; None: the machine stays.  RFC 5321 4.1.4, RFC 3030 2.
ACCEPTED: dict[State, dict[Verb, State | None]] = {
    S.IDLE: {V.MAIL: S.MAIL, **_OUTSIDE},
    S.MAIL: {V.RCPT: S.RCPT, **_ANYWHERE},
    S.RCPT: {V.RCPT: S.RCPT, V.DATA: S.CONTENT, V.BDAT: S.CHUNKS, V.END: S.IDLE, **_ANYWHERE},
    S.CONTENT: {V.END: S.IDLE},
    S.CHUNKS: {V.BDAT: S.CHUNKS, V.END: S.IDLE, **_ANYWHERE},
    S.SPOILED: dict(_ANYWHERE),
    S.STRAY: dict(_OUTSIDE),
    S.DENIED: {V.QUIT: S.CLOSED},
    S.CLOSED: {},
    S.PLAIN: {V.HELO: None, V.EHLO: None, V.NOOP: None, V.STARTTLS: S.IDLE, V.QUIT: S.CLOSED},
}

_NESTED = Reply(503, "5.5.1", "Error: nested MAIL command")
_MAIL_AFTER_BDAT = Reply(503, "5.5.1", "Error: MAIL after BDAT")
_NEED_MAIL = Reply(503, "5.5.1", "Error: need MAIL command")
_RCPT_AFTER_BDAT = Reply(503, "5.5.1", "Error: RCPT after BDAT")
NEED_RCPT = Reply(503, "5.5.1", "Error: need RCPT command")
NO_RECIPIENTS = Reply(554, "5.5.1", "Error: no valid recipients")
_DATA_AFTER_BDAT = Reply(503, "5.5.1", "Error: DATA after BDAT")
_ETRN_IN_MAIL = Reply(503, "", "Error: MAIL transaction in progress")
IN_MAIL = Reply(503, "5.5.1", "Error: MAIL transaction in progress")
# RFC 3207 4
_TLS_FIRST = Reply(530, "5.7.0", "Must issue a STARTTLS command first")
#: The states of a mail transaction.
INSIDE = (S.MAIL, S.RCPT, S.CHUNKS, S.SPOILED)

#: The answers to commands that come at the wrong time.  BDAT has none here, because the octets of
#: its chunk must be read past before it is answered: see ``chunks``.
OUT_OF_ORDER: dict[State, dict[Verb, Reply]] = {
    S.IDLE: {V.RCPT: _NEED_MAIL, V.DATA: NEED_RCPT},
    S.MAIL: {V.MAIL: _NESTED, V.DATA: NO_RECIPIENTS},
    S.RCPT: {V.MAIL: _NESTED},
    S.CONTENT: {},
    S.CHUNKS: {V.MAIL: _NESTED, V.RCPT: _RCPT_AFTER_BDAT, V.DATA: _DATA_AFTER_BDAT},
    S.SPOILED: {V.MAIL: _NESTED, V.RCPT: _RCPT_AFTER_BDAT, V.DATA: _DATA_AFTER_BDAT},
    S.STRAY: {V.MAIL: _MAIL_AFTER_BDAT, V.RCPT: _NEED_MAIL, V.DATA: _DATA_AFTER_BDAT},
    S.DENIED: {},
    S.CLOSED: {},
    S.PLAIN: {
        verb: _TLS_FIRST
        for verb in Verb
        if verb not in {V.HELO, V.EHLO, V.XCLIENT, V.STARTTLS, V.NOOP, V.QUIT, V.UNKNOWN, V.END}
    },
}
for _state in INSIDE:
    OUT_OF_ORDER[_state] |= {V.ETRN: _ETRN_IN_MAIL, V.XCLIENT: IN_MAIL, V.XFORWARD: IN_MAIL}

#: The same by number, as each command looks it up: the next state, and the refusal; None where there is none.
NEXT = tuple(tuple(ACCEPTED[state].get(verb) for verb in Verb) for state in State)
REFUSAL = tuple(tuple(OUT_OF_ORDER[state].get(verb) for verb in Verb) for state in State)
