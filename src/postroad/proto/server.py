"""The server side of an SMTP dialogue, with no input or output of its own.

The driver feeds bytes as they come, cut anywhere; it writes what gathers in ``out``; and it answers
the questions that the session asks of its ``hooks``.  While an answer is outstanding (``waiting``)
or a reply is held back (``sleeping``) input is kept and nothing of it is looked at: the driver
should stop reading then.  Nothing here knows of sockets, time, files or policy.

Wording, codes and the counting of errors are those of Postfix's smtpd(8).
"""

from __future__ import annotations

from collections.abc import Callable

from postroad.model.reply import Reply
from postroad.model.session import Session, Transaction
from postroad.proto import authentication, chunks, incoming, line, quick
from postroad.proto.content import ContentReader
from postroad.proto.hooks import PENDING, Answer, Hooks, Notice
from postroad.proto.inbox import Inbox
from postroad.proto.machine import JUNK, LAST_OF_GROUP, NEXT, REFUSAL, State, Verb
from postroad.proto.options import ServerOptions

_HANG_UP = (421, 521)
_CONTENT = State.CONTENT
_HELO_FIRST = Reply(503, "5.5.1", "Error: send HELO/EHLO first")
_NO_COUNTS = [0] * len(Verb)


class ServerSession:
    """One dialogue.  The names without underscore are for the driver and for this package."""

    __slots__ = (
        "_held", "_later", "_then",
        "accepted", "auth_hidden", "bare", "chunk", "closed", "counts", "denied", "discards", "errors",
        "hooks", "improper", "inbox", "junk", "mechanism", "opened", "options", "out", "overshoot", "quick",
        "reader", "refusal", "session", "size", "sleeping", "state", "upgrading", "verb", "waiting", "where",
        "xclient", "xforward",
    )  # fmt: skip

    def __init__(self, options: ServerOptions, session: Session, hooks: Hooks) -> None:
        self.options = options
        self.session = session
        self.hooks = hooks
        self.state = State.PLAIN if options.tls_required else State.IDLE
        self.verb = Verb.UNKNOWN
        #: The replies to send, in order.
        self.out: list[bytes] = []
        #: An answer is outstanding; so it is until ``start``.
        self.waiting = True
        self.sleeping = False
        #: The client was told to start TLS: the driver shakes hands, then calls ``answer(None)``.
        self.upgrading = False
        #: The dialogue is over; the connection ends once ``out`` is written.
        self.closed = False
        self.denied = False
        #: The last thing that the client did, in the words of the log.
        self.where = "CONNECT"
        self.discards: frozenset[str] = frozenset()
        self.bare = options.bare_newline
        self.auth_hidden = False  # the reply to EHLO does not offer AUTH
        self.mechanism = ""  # of the authentication under way
        self.xclient = self.xforward = False  # the client may say for whom it speaks
        self.improper = False  # the client sent what it should not have sent yet
        self.errors = self.junk = self.overshoot = 0
        self.counts = _NO_COUNTS.copy()
        self.accepted = _NO_COUNTS.copy()
        # the transaction
        self.opened = False
        self.size = 0
        self.reader: ContentReader | None = None
        self.refusal: Reply | None = None  # of the message that is still being read
        self.chunk: chunks.Chunk | None = None
        # input and output that wait
        self.inbox = Inbox(options.line_limit)
        self.quick = quick.limit(options)  # bytes of a line that ``quick`` may look at
        self._later: list[bytes] = []
        self._held: list[bytes] = []
        self._then: Callable[[Reply | None], None] | None = None

    # -- for the driver

    def start(self) -> None:
        """Begin: it is known who the client is.  Until then input is kept."""
        self.waiting = False
        self._unpack()
        if len(self.inbox) and not self.options.local:
            self.note_improper()
            if self.options.forbid_pipelining:
                self.out_of_step()
                return
        self.ask(self.hooks.connect(), self.greet)
        self._run()

    def feed(self, data: bytes) -> None:
        """Take bytes from the client."""
        if self.closed:
            return
        if self.waiting or self.sleeping:
            self._later.append(data)
            return
        if self.inbox.empty:  # most often what comes is one command, or one message
            if self.state is _CONTENT:
                incoming.read(self, data)
                self._go_on()
                return
            if (
                len(data) <= self.quick
                and self.errors == 0
                and self.chunk is None
                and data.endswith(b"\r\n")
                and quick.quick(self, data)
            ):
                if self.errors:
                    self._run()
                return
        self.inbox.add(data)
        self._run()

    @property
    def busy(self) -> bool:
        """Whether input is kept and not looked at."""
        return self.waiting or self.sleeping

    @property
    def received(self) -> int:
        """Return the bytes of the message that came so far."""
        return self.size + (self.reader.pending if self.reader is not None else 0)

    @property
    def backlog(self) -> int:
        """Return how many bytes wait to be looked at."""
        return len(self.inbox) + (sum(map(len, self._later)) if self._later else 0)

    def answer(self, reply: Reply | None) -> None:
        """Answer the question that was left pending."""
        if not self.waiting or self.closed:
            return
        self.waiting = False
        then, self._then = self._then, None
        if then is not None:
            then(reply)
        self._resume()

    def wake(self) -> None:
        """End the pause that a client with many errors gets before each reply."""
        self.sleeping = False
        self.out += self._held
        self._held.clear()
        self._resume()

    def end(self, reply: Reply) -> None:
        """End the dialogue from outside, with a last word."""
        if not self.closed:
            self.out += self._held
            self.out.append(bytes(reply))
            self.close()

    def close(self) -> None:
        """End the dialogue; nothing more is read or asked."""
        self.closed = True
        self.waiting = self.sleeping = self.upgrading = False
        self.inbox.clear()
        self._later.clear()
        self._then = None
        self.state = State.CLOSED
        self.reader = self.chunk = None
        if self.mechanism:
            self.mechanism = ""
            self.hooks.auth_cancel()
        if self.opened:  # a transaction at its commit is not opened any more, and is left alone
            self.opened = False
            self.hooks.discard()

    # -- for the commands

    def say(self, data: bytes) -> None:
        """Send a reply as it stands; a client with too many errors gets it later."""
        if self.errors < self.options.soft_errors or not self.options.error_sleep:
            self.out.append(data)
        else:
            self._held.append(data)
            self.sleeping = True

    def tell(self, reply: Reply) -> None:
        """Send a reply; 421 and 521 end the dialogue."""
        options = self.options
        if reply.code >= 400:
            if options.footer:
                reply = self.hooks.footer(reply)
            if options.soft_bounce and reply.code >= 500:
                status = "4" + reply.status[1:] if reply.status else ""
                reply = Reply(reply.code - 100, status, reply.text)
        self.say(bytes(reply))
        if reply.code in _HANG_UP:
            self.finish()

    def finish(self) -> None:
        """End the dialogue once what is held back was sent."""
        held, self.sleeping = self.sleeping, False
        self.close()
        self.sleeping = held

    def accept(self, data: bytes) -> None:
        """The command was accepted: move, count, reply."""
        if self.errors:
            self.say(data)
        else:
            self.out.append(data)
        verb = self.verb
        target = NEXT[self.state][verb]
        if target is not None:
            self.state = target
        self.accepted[verb] += 1
        if JUNK[verb]:
            self.count_junk()

    def refuse(self, reply: Reply, *, error: bool = True) -> None:
        """The command was refused: reply, count, stay."""
        self.tell(reply)
        if error:
            self.errors += 1
        else:
            self.accepted[self.verb] += 1
        if JUNK[self.verb]:
            self.count_junk()

    def count_junk(self) -> None:
        """Count a command that does nothing: too many are errors."""
        if self.junk > self.options.junk_limit:
            self.errors += 1
        self.junk += 1

    def ask(self, answer: Answer, then: Callable[[Reply | None], None]) -> None:
        """Go on with the answer, now or when it comes."""
        if answer is PENDING:
            self._then = then
            self.waiting = True
        else:
            then(answer)

    def drop(self) -> None:
        """Forget the transaction."""
        if self.opened:
            self.opened = False
            self.hooks.discard()
        self.reset()

    def reset(self) -> None:
        """Begin with an empty transaction."""
        self.session.transaction = Transaction()
        self.session.sasl_sender = ""
        self.size = 0
        self.overshoot = 0
        self.reader = None
        self.refusal = None

    def helo_missing(self) -> bool:
        """Refuse a command that came before HELO, where that is demanded."""
        if self.options.helo_required and not self.session.helo:
            self.refuse(_HELO_FIRST)
            return True
        return False

    def expect_response(self) -> None:
        """The next line is a response, not a command, and may be as long as those are."""
        self.quick = 0
        self.inbox.limit = self.options.response_limit

    def expect_command(self) -> None:
        """The next line is a command again."""
        self.quick = quick.limit(self.options)
        self.inbox.limit = self.options.line_limit

    def out_of_step(self) -> None:
        """The client did not wait for its turn."""
        self.tell(Reply(554, "5.5.0", "Error: SMTP protocol synchronization"))
        self.finish()

    # -- the loop

    def greet(self, reply: Reply | None) -> None:
        """Begin the session, or say why there is none."""
        if reply is not None and not reply.accepts:
            self.state = State.DENIED
            self.denied = True
            self.quick = 0
            self.tell(reply)
            self.errors += 1
        else:
            self.say(f"220 {self.options.banner}\r\n".encode())

    def _unpack(self) -> None:
        if self._later:
            self.inbox.add(b"".join(self._later))
            self._later.clear()

    def _resume(self) -> None:
        if not self.closed:
            self._unpack()
            self._go_on()

    def _go_on(self) -> None:
        """Run, unless there is nothing that could be done without further input."""
        if not self.inbox.empty or self.errors or self.chunk is not None:
            self._run()

    def _run(self) -> None:
        """Go through the input as far as it reaches."""
        while not (self.waiting or self.sleeping or self.closed):
            if self.state is State.CONTENT:
                if self.inbox.empty:
                    return
                incoming.read(self, self.inbox.take())
            elif self.chunk is not None and not self.chunk.finished:
                if not self._chunk(self.chunk):
                    return
            elif self.errors >= self.options.hard_errors:
                self.hooks.notice(Notice.TOO_MANY_ERRORS)
                self.tell(Reply(421, "4.7.0", f"{self.options.hostname} Error: too many errors"))
            elif not line.read(self):
                return

    def _chunk(self, chunk: chunks.Chunk) -> bool:
        if chunk.left and not len(self.inbox):
            return False
        chunks.feed(self, self.inbox.take(chunk.left))
        return True

    def in_step(self, verb: Verb) -> bool:
        """Whether the command may be looked at: its time has come, and nothing came behind it too early."""
        if not self.inbox.empty and not self.improper and not self.options.local:
            # RFC 2920 3.1: some commands end a group; without EHLO there are no groups.
            grouped = self.session.protocol == "ESMTP" and (
                verb not in LAST_OF_GROUP
                or (verb is Verb.XCLIENT and not self.xclient)  # refused, whatever follows
                or (verb is Verb.STARTTLS and not self.options.starttls)
            )
            if not grouped:
                self.note_improper()
                if self.options.forbid_pipelining:
                    self.out_of_step()
                    return False
        refusal = REFUSAL[self.state][verb]
        if refusal is not None:
            self.refuse(refusal)
            return False
        return True

    def note_improper(self) -> None:
        """Tell the log what came before its time."""
        pending = (self.inbox.peek(100) or b"".join(self._later)[:100]).decode("latin-1")
        pending = authentication.quotable(self, pending)
        self.improper = True
        self.session.memory["improper_pipelining"] = True
        self.hooks.notice(Notice.PIPELINING, pending.encode("unicode_escape").decode())
