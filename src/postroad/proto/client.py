"""The client's side of SMTP (RFC 5321) and LMTP (RFC 2033): replies in, bytes to send out, no sockets.

A driver connects, then for what the socket gave

    session.feed(data)
    while (event := session.next_event()) is not Event.WAIT: ...
    transport.write(session.take())

and calls ``begin`` with a Dispatch when the session is READY.  When the connection is lost or late
the driver calls ``fail``: every recipient of an unfinished dispatch then has an outcome.
"""

from __future__ import annotations

from collections.abc import Callable

from postroad.model.outcome import Outcome
from postroad.proto.client_commands import usual_envelope
from postroad.proto.client_envelope import envelope
from postroad.proto.client_secure import HANDLERS, SecureHandshake
from postroad.proto.client_stages import (
    BODY,
    CLOSED,
    DATA,
    DOT,
    EHLO,
    GREETING,
    HANDSHAKE,
    HELO,
    IDLE,
    LHLO,
    MAIL,
    QUIT,
    RCPT,
    RSET,
    VOID,
    XFORWARD,
    Event,
    Stage,
)
from postroad.proto.client_usual import UsualAnswers
from postroad.proto.client_values import Dispatch, Manners, Peer, Terms
from postroad.proto.client_xforward import NAME_ADDRESS
from postroad.proto.replies import GarbledReply, ServerReply


class ClientSession(SecureHandshake):
    """One conversation.  ``carried`` counts the messages begun on it, ``heard`` the replies.

    ``usual`` are answers that other conversations with such a server have had.  ``current`` is the
    message under way, ``finished`` the one that the last FINISHED was about.
    """

    __slots__ = (
        "_commands",
        "_decided",
        "_following",
        "_usual",
        "carried",
        "current",
        "finished",
        "heard",
    )

    def __init__(self, manners: Manners, peer: Peer, warn: Callable[[str], None] = lambda _: None, usual: UsualAnswers | None = None, terms: Terms | None = None) -> None:  # fmt: skip  # noqa: E501
        super().__init__(manners, peer, warn, terms)
        self._commands: list[bytes] = []  # RCPT commands that wait for their turn, without pipelining
        self._decided = False  # the current message was decided without a word to the server
        self._following: Dispatch | None = None  # its envelope went out behind the current content
        self._usual = usual if usual is not None else UsualAnswers()
        self.current: Dispatch | None = None
        self.finished: Dispatch | None = None
        self.carried = 0
        self.heard = 0

    @property
    def idle(self) -> bool:
        """Whether ``begin`` may be called."""
        return self.stage is IDLE and self.current is None

    def next_event(self) -> Event:
        """Say what the driver has to do; WAIT when more bytes are needed."""
        if self._decided:
            self._decided = False
            return self._finish()
        parser = self._parser
        if not parser.buffer:
            return _WAIT
        envelope = b""
        if self.stage is MAIL and self.features.pipelining:
            dispatch = self._dispatch()
            if not dispatch.probe:
                if self._usual.taken(parser, dispatch):
                    self.heard += dispatch.replied + 2
                    self.stage = BODY
                    return _CONTENT
                envelope = parser.unread
        try:
            while (reply := parser.next()) is not None:
                self.heard += 1
                event = _HANDLERS[self.stage](self, reply)
                if event is not None:
                    if envelope and event is _CONTENT:
                        self._usual.note(envelope, self._dispatch())
                    return event
        except GarbledReply as garbled:
            return self._garbled(garbled.line)
        return _WAIT

    def begin(self, dispatch: Dispatch) -> None:
        """Send a message's envelope; next comes ``take``, or ``next_event`` if there is nothing to take."""
        assert self.current is None
        self.current = dispatch
        self.carried += 1
        if self.stage is not IDLE or self._parser.pending:  # it went, or spoke out of turn, while it was idle
            self._never_mind(dispatch, self._lost(MAIL, timed_out=False))
            return
        if self.features.pipelining:
            first = self._group(dispatch)
        else:
            first, *self._commands = self._envelope(dispatch) or [b""]
            self._commands.reverse()
        if first:
            self._out += first
            self.stage = XFORWARD if dispatch.introduced else MAIL
        else:
            self._decided = True

    def follow(self, dispatch: Dispatch) -> bool:
        """Send the next message's envelope right behind the content that is about to be sent.

        To be called between CONTENT and ``content_sent``; False when that is not possible, and
        then nothing has happened.
        """
        # RFC 2920 3.1: message content may be the first "command" of a group.
        if not self.features.pipelining or self.stage is not BODY or self._following is not None:
            return False
        group = self._group(dispatch)
        if not group:
            dispatch.outcomes = [None] * len(dispatch.recipients)
            return False
        self._following = dispatch
        self._out += group
        return True

    def content_sent(self) -> None:
        """The content and its final dot are written."""
        self.stage = DOT
        self._dispatch().replied = 0

    def quit(self) -> None:
        """Take leave; the driver sends this and closes."""
        self._out += b"QUIT\r\n"
        self.stage = QUIT

    def fail(self, *, timed_out: bool = False) -> Event:
        """The connection is lost, or the server has not answered in time; returns what that means."""
        stage, self.stage = self.stage, CLOSED
        dispatch = self.current
        if dispatch is None:
            if stage not in HANDSHAKE:
                return Event.BROKEN
            self.failure = self._lost(stage, timed_out=timed_out)
            return Event.REFUSED
        outcome = self._lost(stage, timed_out=timed_out)
        dispatch.rest(outcome)
        dispatch.site_failure = outcome
        dispatch.untouched = stage in (XFORWARD, MAIL) and self.carried > 1 and not timed_out
        return self._finish()

    def abandon(self, status: str, text: str) -> Event:
        """The content cannot be sent to its end, for a reason of ours; close without a final dot."""
        self.stage = CLOSED
        self._dispatch().rest(Outcome(status, text, self.peer.relay))
        return self._finish()

    # --- the envelope

    def _group(self, dispatch: Dispatch) -> bytes:
        """Return the envelope up to DATA in one (RFC 2920 3.1); empty when no recipient can be tried here."""
        if not (self._manners.xforward or dispatch.probe):
            group = usual_envelope(dispatch.message, dispatch.recipients, dispatch.size, self.features)
            if group:
                dispatch.asked = _ONE
                return group
        commands = self._envelope(dispatch)
        if commands and not (dispatch.probe and not self._manners.probe_data):
            commands.append(b"DATA\r\n")
        return b"".join(commands)

    def _envelope(self, dispatch: Dispatch) -> list[bytes]:
        """Return the commands up to the last RCPT; empty when no recipient can be tried here."""
        return envelope(dispatch, self.features, self.peer, self._manners)

    # --- replies

    def on_xforward(self, reply: ServerReply) -> Event | None:
        """XFORWARD is answered.  A refusal is no reason to keep the mail."""
        dispatch = self._dispatch()
        if reply.code == 421:
            self._never_mind(dispatch, self._answer(reply, XFORWARD))
            self._decided = False
            return self._finish()
        if self._out_of_step(reply):
            return self._garbled(reply.text)
        command = dispatch.introduced.pop(0)
        if not reply.good:
            what = "name/address" if NAME_ADDRESS.match(command) else "helo/protocol"
            self._warn(f"host {self.peer.relay} said: {reply.text} (in reply to XFORWARD {what} command)")
        if not dispatch.introduced:
            self.stage = MAIL
        if not self.features.pipelining:
            self._out += self._commands.pop()
        return None

    def on_mail(self, reply: ServerReply) -> Event | None:
        """MAIL is answered."""
        dispatch = self._dispatch()
        if not reply.good:
            outcome = self._answer(reply, MAIL)
            if reply.code == 421 and self.carried > 1:
                # It closes a connection that was idle for too long: nothing is wrong with this message.
                self._never_mind(dispatch, outcome)
                self._decided = False
                return self._finish()
            if self._out_of_step(reply):
                return self._garbled(reply.text)
            dispatch.refused = True
            dispatch.rest(outcome)
        self.stage = RCPT
        if self.features.pipelining:
            return None
        if dispatch.refused:
            return self._reset()
        self._out += self._commands.pop()
        return None

    def on_rcpt(self, reply: ServerReply) -> Event | None:
        """One RCPT is answered."""
        dispatch = self._dispatch()
        index = dispatch.asked[dispatch.replied]
        dispatch.replied += 1
        if reply.good:
            if not dispatch.refused:
                dispatch.accepted.append(index)
                if dispatch.probe and not self._manners.probe_data:
                    dispatch.outcomes[index] = self._taken(reply)
        elif self._out_of_step(reply):
            return self._garbled(reply.text)
        elif not dispatch.refused:
            dispatch.outcomes[index] = self._answer(reply, RCPT)
        if dispatch.replied < len(dispatch.asked):
            if self._commands:
                self._out += self._commands.pop()
            return None
        if dispatch.probe and not self._manners.probe_data:
            return self._reset()
        self.stage = DATA
        if not self.features.pipelining:
            if not dispatch.accepted:
                return self._reset()
            self._out += b"DATA\r\n"
        return None

    def on_data(self, reply: ServerReply) -> Event | None:
        """DATA is answered."""
        dispatch = self._dispatch()
        if reply.code // 100 != 3:
            if self._out_of_step(reply) or (reply.good and self.features.pipelining):
                return self._garbled(reply.text)
            if dispatch.accepted:
                dispatch.rest(self._answer(reply, DATA))
            return self._reset()
        if self._parser.pending:
            return self._garbled(reply.text)
        if dispatch.accepted and dispatch.probe:
            dispatch.rest(self._taken(reply))
            self.stage = CLOSED  # as in Postfix: the only way out of DATA without a message
            return self._finish()
        if dispatch.accepted:
            self.stage = BODY
            return _CONTENT
        self._out += b".\r\n"
        self.stage = VOID
        return self._finish()

    def on_body(self, reply: ServerReply) -> Event:
        """The server does not wait for the end.  A refusal counts; a yes to half a message does not."""
        if reply.code // 100 not in (4, 5):
            return self._garbled(reply.text)
        dispatch = self._dispatch()
        dispatch.rest(self._answer(reply, BODY))
        self.stage = CLOSED
        return self._finish()

    def on_dot(self, reply: ServerReply) -> Event | None:
        """The content is answered: for all recipients, or with LMTP for one."""
        dispatch = self._dispatch()
        if reply.good:
            outcome = self._delivered(reply)
        elif self._out_of_step(reply):
            return self._garbled(reply.text)
        else:
            outcome = self._answer(reply, DOT)
        if self._manners.lmtp:  # RFC 2033 4.2: a reply for each recipient that was accepted
            dispatch.outcomes[dispatch.accepted[dispatch.replied]] = outcome
            dispatch.replied += 1
            if dispatch.replied < len(dispatch.accepted):
                return None
        elif reply.good and len(dispatch.accepted) == len(dispatch.outcomes):
            dispatch.outcomes = [outcome] * len(dispatch.outcomes)
            dispatch.delivered = True
        else:
            dispatch.rest(outcome)
        # A reply too many: nobody can tell what the next one would belong to.
        self.stage = CLOSED if self._parser.pending and self._following is None else IDLE
        return self._finish()

    def on_void(self, reply: ServerReply) -> Event:
        """The dot behind no content is answered."""
        if reply.code == 421 or self._parser.pending:
            return self.on_nothing(reply)
        self.stage = IDLE
        return Event.READY

    def on_reset(self, reply: ServerReply) -> Event:
        """RSET is answered."""
        return self.on_void(reply) if reply.good else self.on_nothing(reply)

    def on_nothing(self, _: ServerReply) -> Event:
        """It speaks though nothing was asked: 421, or it has lost count.  Neither can be used again."""
        self.stage = CLOSED
        return Event.BROKEN

    # --- ends

    def _dispatch(self) -> Dispatch:
        assert self.current is not None
        return self.current

    def _reset(self) -> Event:
        self._out += b"RSET\r\n"
        self._commands = []
        self.stage = RSET
        return self._finish()

    def _finish(self) -> Event:
        self.finished, self.current = self.current, self._following
        following, self._following = self._following, None
        if following is not None:
            self.carried += 1
            if self.stage is IDLE:
                self.stage = XFORWARD if following.introduced else MAIL
            else:
                self._never_mind(following, self._lost(MAIL, timed_out=False))
        return Event.FINISHED

    def _never_mind(self, dispatch: Dispatch, outcome: Outcome) -> None:
        """The connection was dead before it had anything to do with this message."""
        self.stage = CLOSED
        dispatch.untouched = True
        dispatch.site_failure = outcome
        dispatch.rest(outcome)
        self._decided = True

    def _garbled(self, line: str) -> Event:
        stage = self.stage
        outcome = self._nonsense(line, self.current.message.id if self.current is not None else "")
        if self.current is None:
            self.failure = outcome
            return Event.REFUSED if stage in HANDSHAKE else Event.BROKEN
        self.current.rest(outcome)
        self.current.site_failure = outcome
        return self._finish()


# Enum members are slow to get at.
_WAIT, _CONTENT = Event.WAIT, Event.CONTENT
_ONE = (0,)  # Dispatch.asked of one recipient
_HANDLERS: dict[Stage, Callable[[ClientSession, ServerReply], Event | None]] = {
    GREETING: ClientSession.on_greeting,
    EHLO: ClientSession.on_ehlo,
    LHLO: ClientSession.on_ehlo,
    HELO: ClientSession.on_helo,
    IDLE: ClientSession.on_nothing,
    XFORWARD: ClientSession.on_xforward,
    MAIL: ClientSession.on_mail,
    RCPT: ClientSession.on_rcpt,
    DATA: ClientSession.on_data,
    BODY: ClientSession.on_body,
    DOT: ClientSession.on_dot,
    VOID: ClientSession.on_void,
    RSET: ClientSession.on_reset,
    QUIT: ClientSession.on_nothing,
    CLOSED: ClientSession.on_nothing,
    **HANDLERS,
}
