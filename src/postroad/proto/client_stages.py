"""The stages of a conversation with a server, and what is said when it breaks off in each."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """What the client waits for.

    ``doing`` completes "lost connection with H[IP] while ..."; ``command`` completes "in reply to
    ... command"; ``timeout`` names the time limit, ``PROGRAM_..._timeout``.
    """

    name: str
    doing: str
    command: str
    timeout: str

    def __repr__(self) -> str:
        return self.name


GREETING = Stage("GREETING", "receiving the initial server greeting", "", "helo_timeout")
EHLO = Stage("EHLO", "performing the EHLO handshake", "EHLO command", "helo_timeout")
HELO = Stage("HELO", "performing the HELO handshake", "HELO command", "helo_timeout")
LHLO = Stage("LHLO", "performing the LHLO handshake", "LHLO command", "helo_timeout")
STARTTLS = Stage("STARTTLS", "receiving the STARTTLS response", "STARTTLS command", "starttls_timeout")
TLS = Stage("TLS", "performing the TLS handshake", "", "starttls_timeout")
AUTH = Stage("AUTH", "performing the SASL authentication", "AUTH command", "helo_timeout")
IDLE = Stage("IDLE", "waiting for mail", "", "")
XFORWARD = Stage("XFORWARD", "sending XFORWARD", "XFORWARD command", "xforward_timeout")
MAIL = Stage("MAIL", "sending MAIL FROM", "MAIL FROM command", "mail_timeout")
RCPT = Stage("RCPT", "sending RCPT TO", "RCPT TO command", "rcpt_timeout")
DATA = Stage("DATA", "sending DATA command", "DATA command", "data_init_timeout")
BODY = Stage("BODY", "sending message body", "end of DATA command", "data_xfer_timeout")
#: The final dot is out: what the server did with the message is not known until it answers (RFC 1047).
DOT = Stage(
    "DOT",
    "sending end of data -- message may be sent more than once",
    "end of DATA command",
    "data_done_timeout",
)
#: A dot alone, to a server that said 354 although it had refused every recipient (RFC 2920 3.1).
VOID = Stage("VOID", "sending end of data", "end of DATA command", "data_done_timeout")
RSET = Stage("RSET", "sending final RSET", "final RSET command", "rset_timeout")
QUIT = Stage("QUIT", "sending QUIT", "QUIT command", "quit_timeout")
CLOSED = Stage("CLOSED", "", "", "")

STAGES = (
    *(GREETING, EHLO, HELO, LHLO, STARTTLS, TLS, AUTH),
    *(IDLE, XFORWARD, MAIL, RCPT, DATA, BODY, DOT, VOID, RSET, QUIT, CLOSED),
)
HANDSHAKE = frozenset({GREETING, EHLO, HELO, LHLO, STARTTLS, TLS, AUTH})


class Event(Enum):
    """What the driver has to do next."""

    WAIT = "read more bytes"
    READY = "the connection can carry a message"
    START_TLS = "shake hands, then call secured or insecure"
    LOGIN = "choose a mechanism, then call log_in or refuse"
    REFUSED = "the handshake failed: session.failure says why; close"
    FILTER = "look up session.question, then call filtered or unfiltered"
    CONTENT = "send the content of session.current, then call content_sent"
    FINISHED = "every recipient of session.finished has its outcome"
    BROKEN = "nothing more can be sent here; close"
