"""What the server's machine asks of the one that drives it.

A hook answers at once, or returns ``PENDING`` and later calls ``ServerSession.answer``.  None
accepts; a Reply whose code is 400 or more refuses.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Final, Protocol

from postroad.model.reply import Reply


class Pending(Enum):
    """The type of ``PENDING``."""

    LATER = auto()


PENDING: Final = Pending.LATER
Answer = Reply | Pending | None


class Notice(Enum):
    """What the machine tells the log."""

    LONG_LINE = auto()  # a command line over line_length_limit; its beginning
    BAD_ADDRESS = auto()  # verb, address
    BAD_CHUNK = auto()  # a BDAT command that cannot be read
    NULL_CHUNK = auto()
    LARGE_CHUNK = auto()
    TOO_BIG = auto()
    FOREIGN = auto()  # a line of another protocol
    PIPELINING = auto()  # input that came before its time
    BARE_LF = auto()  # a line that ends with LF alone
    DISCARDED_KEYWORDS = auto()
    TOO_MANY_ERRORS = auto()
    AUTH_ABORTED = auto()  # the mechanism


class Hooks(Protocol):
    """The questions, in the order of a session."""

    def connect(self) -> Answer:
        """The client is here.  A refusal takes the place of the greeting."""
        ...

    def helo(self) -> Answer:
        """HELO or EHLO; ``session.helo`` is set."""
        ...

    def xclient(self) -> Answer:
        """XCLIENT: ``session.client`` is another one now, and the session begins anew: see ``connect``."""
        ...

    def routing(self, address: str) -> Answer:
        """MAIL, RCPT or VRFY has an address with routing in it; 501 when that leads to no address."""
        ...

    def mail(self) -> Answer:
        """MAIL; ``session.transaction.sender`` is set."""
        ...

    def recipient(self, address: str) -> Answer:
        """RCPT; the recipient is not yet among the transaction's."""
        ...

    def open(self) -> None:
        """The transaction gets its queue id now."""
        ...

    def data(self) -> Answer:
        """DATA or the first BDAT."""
        ...

    def content(self, piece: bytes) -> None:
        """A piece of the message: dots removed, lines ended by CRLF, cut anywhere."""
        ...

    def message(self, size: int) -> Answer:
        """The message is complete; the answer is the reply to its end, accepting or not."""
        ...

    def discard(self) -> None:
        """The transaction is over without a message; called when ``open`` was."""
        ...

    def unknown(self, command: str) -> Answer:
        """Take a command that is none; a Reply takes the place of the usual refusal."""
        ...

    def verify(self, address: str) -> Answer:
        """VRFY."""
        ...

    def etrn(self, domain: str) -> Answer:
        """ETRN; the answer is the reply, None for "not served"."""
        ...

    def starttls(self) -> Answer:
        """STARTTLS where it is offered; None starts it, and the driver shakes hands then."""
        ...

    def mechanisms(self) -> str:
        """Return the mechanisms that AUTH may name now, parted by spaces; "" when there is no AUTH."""
        ...

    def auth_command(self) -> Answer:
        """AUTH has come, whatever stands behind it; a refusal when there were too many."""
        ...

    def auth(self, mechanism: str, response: bytes | None) -> Answer:
        """AUTH with one of the ``mechanisms``; the answer is the reply.

        334 goes on, its text is the challenge in base64; 235 means that ``session.sasl_method`` is set.
        """
        ...

    def auth_response(self, response: bytes) -> Answer:
        """Answer the client's response to the last challenge, as ``auth`` does."""
        ...

    def auth_failed(self, mechanism: str, reason: str) -> None:
        """Tell the log that the client cannot be understood; the exchange, if there is one, is over."""
        ...

    def auth_cancel(self) -> None:
        """The exchange under way is over: the client gave up, or is gone."""
        ...

    def rewrite(self, command: str) -> str | None:
        """Return a command in place of the client's; None when nobody could look.

        Asked only with ``options.filtered``.
        """
        ...

    def is_noop(self, word: str) -> bool:
        """Whether the word is among smtpd_noop_commands."""
        ...

    def is_forbidden(self, word: str) -> bool:
        """Whether the unknown word is among smtpd_forbidden_commands."""
        ...

    def refused(self, reply: Reply) -> None:
        """The machine itself refused, for a reason that the log has as a reject."""
        ...

    def footer(self, reply: Reply) -> Reply:
        """Return a refusal with what the operator wants added; asked only with ``options.footer``."""
        ...

    def notice(self, notice: Notice, detail: str = "") -> None:
        """Tell the log."""
        ...
