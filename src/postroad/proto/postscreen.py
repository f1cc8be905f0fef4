"""The dialogue with a client under test, after the greeting: it takes no mail, and watches the client.

The driver feeds bytes as they come, cut anywhere, and writes what gathers in ``out``.  Nothing here knows of
sockets, time or files.  Wording and order are those of Postfix's postscreen(8).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final, Protocol

from postroad.model.reply import Reply
from postroad.proto.ehlo import announce
from postroad.proto.screening import Action, Progress, Test

_UNKNOWN: Final = Reply(502, "5.5.2", "Error: command not recognized")
_PROTOCOL_ERROR: Final = "Protocol error"
_GOODBYE: Final = Reply(521, "5.7.0", "Error: I can break rules, too. Goodbye.")
_LATER: Final = Reply(450, "4.3.2", "Service currently unavailable")
_OK: Final = Reply(250, "2.0.0", "Ok")
_SHOWN: Final = 100  # bytes of what a client sent that the log has


class Notice(Enum):
    """What the log hears; the values that come with it are named."""

    BARE_NEWLINE = auto()  # the line
    PIPELINING = auto()  # the command, what came behind it
    NON_SMTP = auto()  # the command before, the command, its arguments
    COUNT_LIMIT = auto()  # the command before
    LENGTH_LIMIT = auto()  # the command before
    TIME_LIMIT = auto()  # the command before
    WITHOUT_RCPT = auto()  # DATA or BDAT
    REFUSED = auto()  # the reply, sender, recipient, protocol, helo


class Reporter(Protocol):
    """Who hears of it."""

    def notice(self, what: Notice, *values: str) -> None:
        """Log it."""
        ...

    def until(self, test: Test) -> int:
        """Return until when a test counts that is passed now; NONE: one that is failed and forgiven."""
        ...

    def footed(self, reply: Reply) -> Reply:
        """Return a refusal with the operator's footer."""
        ...

    def rewritten(self, line: str) -> str | None:
        """Return the command to carry out for a line, itself most often; None: it could not be found out.

        Asked only with ``options.filtered``.
        """
        ...


@dataclass(frozen=True, slots=True)
class DialogueOptions:
    """What a service's settings say."""

    hostname: str
    size_limit: int
    line_limit: int
    command_limit: int
    smtputf8: bool
    vrfy: bool
    helo_required: bool
    starttls: bool
    tls_required: bool
    actions: Mapping[Test, Action]
    is_forbidden: Callable[[str], bool]
    filtered: bool = False


class Dialogue:
    """One client.  ``refusal`` is what it is told at RCPT, None for "come again"."""

    __slots__ = (
        "_buffer", "_count", "_helo", "_options", "_progress", "_protocol", "_reporter", "_sender",
        "_without", "closed", "encrypted", "out", "refusal", "upgrading", "where",
    )  # fmt: skip

    def __init__(
        self,
        options: DialogueOptions,
        progress: Progress,
        reporter: Reporter,
        *,
        refusal: Reply | None = None,
        without: frozenset[str] = frozenset(),
    ) -> None:
        self._options = options
        self._progress = progress
        self._reporter = reporter
        self._without = without | {"pipelining"}
        self._buffer = b""
        self._count = 0
        self._helo = ""
        self._protocol = "SMTP"
        self._sender: str | None = None
        self.refusal = refusal if refusal is not None else _LATER
        self.where = "CONNECT"
        #: The replies to send, in order.
        self.out: list[bytes] = []
        #: The dialogue is over; the connection ends once ``out`` is written.
        self.closed = False
        #: The client was told to start TLS: the driver shakes hands, then calls ``secured``.
        self.upgrading = False
        self.encrypted = False
        if progress.failed:  # the log may as well say what else is wrong with it
            progress.todo |= Test.LATE & ~progress.passed

    def feed(self, data: bytes) -> int:
        """Take bytes of the client; return how many whole lines there were."""
        self._buffer += data
        lines = 0
        while not self.closed and not self.upgrading:
            end = self._buffer.find(b"\n")
            if (end if end >= 0 else len(self._buffer)) >= self._options.line_limit:
                self._give_up(Notice.LENGTH_LIMIT)
                break
            if end < 0:
                break
            line, self._buffer = self._buffer[: end + 1], self._buffer[end + 1 :]
            lines += 1
            self._take(line)
        if self.closed:
            self._buffer = b""
        return lines

    def secured(self) -> None:
        """The client has shaken hands: it begins anew (RFC 3207 4.2).  What it sent before is forgotten."""
        self._buffer = b""
        self._helo, self._protocol, self._sender = "", "SMTP", None
        self.upgrading = False
        self.encrypted = True

    def expire(self) -> None:
        """End the dialogue with a client that takes too long."""
        self._reporter.notice(Notice.TIME_LIMIT, self.where)
        self._end(Reply(421, "4.4.2", f"{self._options.hostname} Error: timeout exceeded"))

    def say(self, reply: Reply) -> None:
        """Give an answer."""
        self.out.append(bytes(self._reporter.footed(reply) if reply.code >= 400 else reply))

    # -- the tests

    def _take(self, line: bytes) -> None:
        text = line.removesuffix(b"\n").removesuffix(b"\r").decode("utf-8", "surrogateescape")
        if not line.endswith(b"\r\n") and self._watched(Test.BARE_NEWLINE):
            self._reporter.notice(Notice.BARE_NEWLINE, text)
            if self._failed(Test.BARE_NEWLINE):
                return
        if self._options.filtered:
            replaced = self._reporter.rewritten(text)
            if replaced is None:
                self._end(Reply(421, "4.3.0", f"{self._options.hostname} Server local data error"))
                return
            text = replaced
        self._judge(text)

    def _judge(self, text: str) -> None:
        word, _, rest = text.lstrip(" ").partition(" ")
        command = word.upper()
        handler = _HANDLERS.get(command)
        if handler is None and self._watched(Test.NON_SMTP) and self._is_foreign(word):
            self._reporter.notice(Notice.NON_SMTP, self.where, word, rest.lstrip(" "))
            if self._failed(Test.NON_SMTP, _GOODBYE):
                return
        # What follows BDAT is its own (RFC 3030 2).
        if self._buffer and command != "BDAT" and self._watched(Test.PIPELINING):
            shown = self._buffer[:_SHOWN].decode("latin-1")
            self._reporter.notice(Notice.PIPELINING, word, shown)
            if self._failed(Test.PIPELINING):
                return
        if command == "RCPT":
            self._passed()
        if self._count >= self._options.command_limit:
            self._give_up(Notice.COUNT_LIMIT)
            return
        self._count += 1
        self._obey(command, handler, rest.strip(" "))

    def _watched(self, test: Test) -> bool:
        """Whether a test has not seen enough of this client."""
        return bool(self._progress.todo & test & ~self._progress.skipped)

    def _is_foreign(self, word: str) -> bool:
        name, colon, _ = word.partition(":")
        header = bool(colon and name) and all("!" <= char <= "~" for char in name)
        garbled = any("\udc80" <= char <= "\udcff" for char in word)  # not UTF-8
        return header or garbled or self._options.is_forbidden(word)

    def _failed(self, test: Test, farewell: Reply | None = None) -> bool:
        """Do what is done with a client that fails a test; True when that was the end."""
        progress, action = self._progress, self._options.actions[test]
        progress.fail(test)
        if action is Action.DROP:
            self._end(farewell or Reply(521, "5.5.1", _PROTOCOL_ERROR))
            return True
        if action is Action.ENFORCE:
            self.refusal = Reply(550, "5.5.1", _PROTOCOL_ERROR)
        else:
            progress.forgive(test, self._reporter.until(Test.NONE))
        return False

    def _passed(self) -> None:
        """Note what is passed by a client that has come as far as RCPT."""
        progress = self._progress
        for test in (Test.PIPELINING, Test.NON_SMTP, Test.BARE_NEWLINE):
            if test & progress.todo & ~progress.passed & ~progress.failed:
                progress.succeed(test, self._reporter.until(test))

    # -- the commands

    def _obey(self, command: str, handler: Callable[[Dialogue, str], Reply] | None, rest: str) -> None:
        if handler is None:
            self.where = "UNIMPLEMENTED"
            self.say(_UNKNOWN)
            return
        self.where = command
        if self._options.tls_required and not self.encrypted and command not in _BEFORE_TLS:
            self.say(Reply(530, "5.7.0", "Must issue a STARTTLS command first"))
            return
        reply = handler(self, rest)
        self.say(reply)
        if command in _LAST:
            self._close()

    def _give_up(self, why: Notice) -> None:
        self._reporter.notice(why, self.where)
        self._end(Reply(421, "", f"{self._options.hostname} Service unavailable - try again later"))

    def _end(self, reply: Reply) -> None:
        self.say(reply)
        self._close()

    def _close(self) -> None:
        self.closed = True
        self._buffer = b""

    def _greeted(self, protocol: str, name: str) -> Reply | None:
        word = name.partition(" ")[0]
        if not word:
            return Reply(501, "", f"Syntax: {'EHLO' if protocol == 'ESMTP' else 'HELO'} hostname")
        self._helo, self._protocol, self._sender = word, protocol, None
        return None

    def _on_helo(self, rest: str) -> Reply:
        return self._greeted("SMTP", rest) or Reply(250, "", self._options.hostname)

    def _on_ehlo(self, rest: str) -> Reply:
        refusal = self._greeted("ESMTP", rest)
        if refusal is not None:
            return refusal
        options = self._options
        text = announce(
            options.hostname,
            self._without,
            size_limit=options.size_limit,
            smtputf8=options.smtputf8,
            vrfy=True,  # as Postfix does: it is refused when it comes
            starttls=options.starttls and not self.encrypted,
        )
        lines = [line[4:] for line in text.decode().split("\r\n")[:-1]]
        return Reply(250, "", "\n".join(lines))

    def _on_mail(self, rest: str) -> Reply:
        if self._options.helo_required and not self._helo:
            return Reply(503, "5.5.1", "Error: send HELO/EHLO first")
        if self._sender is not None:
            return Reply(503, "5.5.1", "Error: nested MAIL command")
        address = _address(rest, "from")
        if address is None:
            return Reply(501, "5.5.4", "Syntax: MAIL FROM:<address>")
        self._sender = address
        return Reply(250, "2.1.0", "Ok")

    def _on_rcpt(self, rest: str) -> Reply:
        if self._sender is None:
            return Reply(503, "5.5.1", "Error: need MAIL command")
        address = _address(rest, "to")
        if address is None:
            return Reply(501, "5.5.4", "Syntax: RCPT TO:<address>")
        refusal = self.refusal
        self._reporter.notice(
            Notice.REFUSED, refusal.line(), self._sender, address, self._protocol, self._helo
        )
        return refusal

    def _on_data(self, rest: str) -> Reply:
        # The client may send its message whatever it is told: nothing of that shall be taken for commands.
        self._reporter.notice(Notice.WITHOUT_RCPT, "DATA")
        if rest:
            return Reply(501, "5.5.4", "Syntax: DATA")
        if self._sender is None:
            return Reply(503, "5.5.1", "Error: need RCPT command")
        return Reply(554, "5.5.1", "Error: no valid recipients")

    def _on_bdat(self, rest: str) -> Reply:
        self._reporter.notice(Notice.WITHOUT_RCPT, "BDAT")
        if not rest:
            return Reply(501, "5.5.4", "Syntax: BDAT count [LAST]")
        if self._sender is None:
            return Reply(554, "5.5.1", "Error: need MAIL command")
        return Reply(554, "5.5.1", "Error: no valid recipients")

    def _on_rset(self, _rest: str) -> Reply:
        self._sender = None
        return _OK

    def _on_noop(self, _rest: str) -> Reply:
        return _OK

    def _on_vrfy(self, rest: str) -> Reply:
        if not rest:
            return Reply(501, "5.5.4", "Syntax: VRFY address")
        return _LATER if self._options.vrfy else Reply(502, "5.5.1", "VRFY command is disabled")

    def _on_etrn(self, rest: str) -> Reply:
        if self._options.helo_required and not self._helo:
            return Reply(503, "5.5.1", "Error: send HELO/EHLO first")
        return Reply(458, "", "Unable to queue messages") if rest else Reply(500, "", "Syntax: ETRN domain")

    def _on_quit(self, _rest: str) -> Reply:
        return Reply(221, "2.0.0", "Bye")

    def _on_starttls(self, rest: str) -> Reply:
        if rest:
            return Reply(501, "5.5.4", "Syntax: STARTTLS")
        if self.encrypted:
            return Reply(554, "5.5.1", "Error: TLS already active")
        if not self._options.starttls:
            return Reply(502, "5.5.1", "Error: command not implemented")
        self.upgrading = True
        self._buffer = b""  # RFC 3207 4.2: what came in plain text behind it is nobody's word
        return Reply(220, "2.0.0", "Ready to start TLS")


_HANDLERS: Final[Mapping[str, Callable[[Dialogue, str], Reply]]] = {
    "HELO": Dialogue._on_helo,  # noqa: SLF001 - its own
    "EHLO": Dialogue._on_ehlo,  # noqa: SLF001
    "MAIL": Dialogue._on_mail,  # noqa: SLF001
    "RCPT": Dialogue._on_rcpt,  # noqa: SLF001
    "DATA": Dialogue._on_data,  # noqa: SLF001
    "BDAT": Dialogue._on_bdat,  # noqa: SLF001
    "RSET": Dialogue._on_rset,  # noqa: SLF001
    "NOOP": Dialogue._on_noop,  # noqa: SLF001
    "VRFY": Dialogue._on_vrfy,  # noqa: SLF001
    "ETRN": Dialogue._on_etrn,  # noqa: SLF001
    "QUIT": Dialogue._on_quit,  # noqa: SLF001
    "STARTTLS": Dialogue._on_starttls,  # noqa: SLF001
}
_LAST: Final = frozenset({"QUIT", "DATA", "BDAT"})
_BEFORE_TLS: Final = frozenset({"HELO", "EHLO", "NOOP", "QUIT", "STARTTLS"})


def _address(text: str, prefix: str) -> str | None:
    """Return the address behind FROM: or TO: without quotes and source route; None for another syntax.

    Much is taken that smtpd refuses: the address is only for the log.
    """
    begin, colon, text = text.partition(":")
    if not colon or begin.rstrip(" ").lower() != prefix:
        return None
    text = text.lstrip(" ")
    bracketed = text.startswith("<")
    text = text.removeprefix("<")
    if text.startswith("@") and ":" in text:
        text = text[text.index(":") + 1 :]
    found: list[str] = []
    quoted = escaped = False
    for char in text:
        if escaped:
            escaped = False
        elif char == "\\":
            escaped = True
            continue
        elif char == '"':
            quoted = not quoted
            continue
        elif char == (">" if bracketed else " ") and not quoted:
            break
        found.append(char)
    return "".join(found)
