"""The beginning of a client's conversation: greeting, EHLO, HELO or LHLO, and what can go wrong."""

from __future__ import annotations

from collections.abc import Callable

from postroad.model.outcome import Outcome
from postroad.proto.client_features import Features, parse_features
from postroad.proto.client_stages import (
    CLOSED,
    EHLO,
    GREETING,
    HELO,
    IDLE,
    LHLO,
    Event,
    Stage,
)
from postroad.proto.client_values import Manners, Peer, Terms
from postroad.proto.replies import ReplyParser, ServerReply


class Handshake:
    """Brings a conversation to where mail can be sent.

    ``failure`` is the reason when it ends REFUSED.  ``warn`` gets the texts of warnings.
    """

    __slots__ = ("_manners", "_out", "_parser", "_terms", "_warn", "failure", "features", "peer", "stage")

    def __init__(self, manners: Manners, peer: Peer, warn: Callable[[str], None] = lambda _: None, terms: Terms | None = None) -> None:  # fmt: skip  # noqa: E501
        self._manners = manners
        self._parser = self._new_parser()
        self._out = b""
        self._warn = warn
        self._terms = terms
        self.peer = peer
        self.stage: Stage = GREETING
        self.features = Features()
        self.failure: Outcome | None = None

    def feed(self, data: bytes) -> None:
        """Take what the server sent."""
        self._parser.feed(data)

    def _new_parser(self) -> ReplyParser:
        return ReplyParser(self._manners.reply_limit)

    def take(self) -> bytes:
        """Return what is to be sent now, b"" for nothing."""
        data, self._out = self._out, b""
        return data

    # --- replies

    def on_greeting(self, reply: ServerReply) -> Event | None:
        """Answer the greeting with EHLO, HELO or LHLO."""
        manners = self._manners
        if not reply.good:
            return self._refuse(reply, soft=reply.code // 100 == 5 and manners.skip_5xx_greeting)
        if self._parser.pending:
            return self._refuse_garbage(reply)
        words = reply.text[4:].split()
        if words and self._is_me(words[0]):
            self._warn(f"host {self.peer.relay} greeted me with my own hostname {manners.hostname}")
        if manners.lmtp:
            self._say(LHLO, "LHLO")
        elif not manners.never_ehlo and (manners.always_ehlo or "ESMTP" in map(str.upper, words[1:])):
            self._say(EHLO, "EHLO")
        else:
            self._say(HELO, "HELO")
        return None

    def on_ehlo(self, reply: ServerReply) -> Event | None:
        """Take the server's features, or fall back to HELO."""
        if reply.good:
            return self._ready(reply)
        if reply.code == 421 or self._manners.lmtp:
            return self._refuse(reply)
        self._say(HELO, "HELO")  # RFC 5321 3.2
        return None

    def on_helo(self, reply: ServerReply) -> Event | None:
        """End the handshake with a server that has no extensions."""
        return self._ready(reply) if reply.good else self._refuse(reply)

    def _ready(self, reply: ServerReply) -> Event | None:
        if self._parser.pending:
            return self._refuse_garbage(reply)
        if self.stage is not HELO:
            features = self.features = parse_features(reply.raw, self._manners.discard)
            self._parser.strict = features.pipelining
            if features.bad_size:
                self._warn(f'bad EHLO SIZE limit "{features.bad_size}" from {self.peer.relay}')
            if self._is_me(features.name):
                return self._loop()
        if self._terms is not None:
            return self._secure(self._terms)
        self.stage = IDLE
        return Event.READY

    def _secure(self, terms: Terms) -> Event | None:
        """Do what the terms ask for (``client_secure``)."""
        raise NotImplementedError

    def _say(self, stage: Stage, verb: str) -> None:
        self.stage = stage
        self._out += f"{verb} {self._manners.name}\r\n".encode()

    def _is_me(self, name: str) -> bool:
        # Behind another port than 25 may be a part of this system, a content filter for example.
        manners = self._manners
        return self.peer.port == 25 and not manners.lmtp and name.lower() == manners.hostname.lower() != ""

    # --- failures

    def _loop(self) -> Event:
        peer = self.peer
        self._warn(f"host {peer.relay} replied to HELO/EHLO with my own hostname {self._manners.hostname}")
        status = "5.4.6" if peer.best else "4.4.6"
        self.failure = Outcome(status, f"mail for {peer.nexthop} loops back to myself", peer.relay)
        return Event.REFUSED

    def _refuse(self, reply: ServerReply, *, soft: bool = False) -> Event:
        self.failure = self._said(reply, f"host {self.peer.host} refused to talk to me: {reply.text}")
        if soft:
            self.failure.status = "4" + self.failure.status[1:]
        return Event.REFUSED

    def _refuse_garbage(self, reply: ServerReply) -> Event:
        """A reply to a command that was not yet sent: whatever follows cannot be told apart."""
        self.failure = self._nonsense(reply.text)
        return Event.REFUSED

    def _said(self, reply: ServerReply, text: str) -> Outcome:
        status = reply.status or "5.5.0"
        if reply.good:  # where only a 3xx would have been
            status, text = "5.5.0", f"Protocol error: {text}"
        return Outcome(status, text, self.peer.relay, remote=self.peer.name, reply=reply.text)

    def _lost(self, stage: Stage, *, timed_out: bool) -> Outcome:
        if timed_out:
            text = f"conversation with {self.peer.host} timed out while {stage.doing}"
        else:
            text = f"lost connection with {self.peer.host} while {stage.doing}"
        return Outcome("4.4.2", text, self.peer.relay)

    def _nonsense(self, line: str, about: str = "") -> Outcome:
        """Give the conversation up; ``about`` is the queue id of the message that it is about."""
        protocol = "LMTP" if self._manners.lmtp else "ESMTP"
        prefix = f"{about}: " if about else ""
        self._warn(f"{prefix}non-{protocol} response from {self.peer.relay}: {line[:100]}")
        stage, self.stage = self.stage, CLOSED
        text = f"protocol error in reply from {self.peer.host} while {stage.doing}"
        return Outcome("4.5.0", text, self.peer.relay)

    def _out_of_step(self, reply: ServerReply) -> bool:
        """Whether the reply is of a kind that no such command has, so that it must be another's.

        Only with several commands on their way; one at a time, it is what the server says to this.
        """
        return self.features.pipelining and reply.code // 100 not in (2, 4, 5)

    def _answer(self, reply: ServerReply, stage: Stage) -> Outcome:
        text = f"host {self.peer.host} said: {reply.text} (in reply to {stage.command})"
        return self._said(reply, text)

    def _taken(self, reply: ServerReply) -> Outcome:
        """Return what becomes of a probe's recipient that the server would take mail for."""
        return Outcome(reply.status or "2.0.0", reply.text, self.peer.relay)

    def _delivered(self, reply: ServerReply) -> Outcome:
        text = reply.text
        outcome = Outcome(reply.status, text, self.peer.relay)
        outcome.remote = self.peer.name
        outcome.reply = text
        outcome.action = "relayed"
        outcome.notified = self.features.dsn  # RFC 3461 5.2.1
        return outcome
