"""Parameters of the SMTP client and, under names of their own, of the LMTP client."""

from __future__ import annotations

from typing import Any, TypeVar

from postroad.base.kinds import BOOL, INT, LIST, STRING, TIME, choice
from postroad.base.params import Group, Kind, Param, Settings
from postroad.delivery.smtp.login_params import group as logins
from postroad.delivery.smtp.tls_params import group as tls

params = Group("delivery.smtp")
params.params += logins.params + tls.params

T = TypeVar("T")
Pair = dict[str, Param[T]]  # by program: "smtp", "lmtp"


def _pair(suffix: str, kind: Kind[T], default: str, doc: str, *, lmtp: str | None = None, lmtp_suffix: str = "", **rest: Any) -> Pair[T]:  # fmt: skip  # noqa: E501
    """Declare ``smtp_`` + suffix and its ``lmtp_`` twin, whose default and suffix may differ."""
    smtp = params.declare(f"smtp_{suffix}", kind, default, f"SMTP client: {doc}", **rest)
    other = default if lmtp is None else lmtp
    twin = params.declare(f"lmtp_{lmtp_suffix or suffix}", kind, other, f"LMTP client: {doc}", **rest)
    return {"smtp": smtp, "lmtp": twin}


# --- whom to talk to, and from where
TCP_PORT = _pair(
    "tcp_port", STRING, "smtp", "the port or service to connect to when the next hop names none.", lmtp="24"
)
BIND_ADDRESS = _pair("bind_address", STRING, "", "the local IPv4 address to connect from.")
BIND_ADDRESS6 = _pair("bind_address6", STRING, "", "the local IPv6 address to connect from.")
BIND_ADDRESS_ENFORCE = _pair(
    "bind_address_enforce",
    BOOL,
    "no",
    "defer mail when the local address cannot be used, instead of connecting from another.",
)
MX_SESSION_LIMIT = _pair(
    "mx_session_limit",
    INT,
    "2",
    "the most sessions that one delivery has, failed handshakes not counted; 0 for no limit.",
    low=0,
)
OLD_FALLBACK_RELAY = params.declare("fallback_relay", LIST, "", "The old name of smtp_fallback_relay.")
FALLBACK_RELAY = _pair(
    "fallback_relay",
    LIST,
    "$fallback_relay",
    "the next hops to try when the destination is not found or not reachable.",
    lmtp="",
)

# --- how to talk
HELO_NAME = _pair(
    "helo_name", STRING, "$myhostname", "the name in EHLO, HELO and LHLO.", lmtp_suffix="lhlo_name"
)
ALWAYS_SEND_EHLO = params.declare(
    "smtp_always_send_ehlo", BOOL, "yes", "SMTP client: begin with EHLO whatever the greeting says."
)
NEVER_SEND_EHLO = params.declare(
    "smtp_never_send_ehlo", BOOL, "no", "SMTP client: always begin with HELO, which has no extensions."
)
DISCARD_EHLO_KEYWORDS = _pair(
    "discard_ehlo_keywords",
    LIST,
    "",
    "the keywords (pipelining, dsn, ...) of the server's EHLO reply to ignore; silent-discard is not logged.",
    lmtp_suffix="discard_lhlo_keywords",
)
SKIP_5XX_GREETING = _pair(
    "skip_5xx_greeting", BOOL, "yes", "try another server, or later, when one greets with a 5xx code."
)
SKIP_QUIT_RESPONSE = _pair(
    "skip_quit_response", BOOL, "yes", "close without waiting for the answer to QUIT.", lmtp="no"
)
LINE_LENGTH_LIMIT = _pair(
    "line_length_limit",
    INT,
    "998",
    "the longest line that is sent; a longer one gets a line end and a space put in.  0 for no limit.",
    low=0,
)
DISABLE_MIME_OUTPUT_CONVERSION = params.declare(
    "disable_mime_output_conversion",
    BOOL,
    "no",
    "Send 8-bit content as it is to a server that does not announce 8BITMIME.",
)

SEND_XFORWARD = _pair(
    "send_xforward_command",
    BOOL,
    "no",
    "tell a server that announces XFORWARD whose mail it is: name and address of the client it came from.",
)
REPLY_FILTER = _pair(
    "reply_filter",
    STRING,
    "",
    "the table (one type:name) that is asked about each line of a server's replies, and may replace it.",
)
ADDRESS_VERIFY_TARGET = _pair(
    "address_verify_target",
    choice("rcpt", "data"),
    "rcpt",
    "the command whose answer says whether an address that is verified exists: rcpt, or data for servers"
    " that refuse recipients only there.",
)

# --- how long to wait
CONNECT_TIMEOUT = _pair(
    "connect_timeout",
    TIME,
    "30s",
    "the time limit of a connection attempt; 0 for the system's.",
    lmtp="0s",
    low=0,
)
HELO_TIMEOUT = _pair(
    "helo_timeout",
    TIME,
    "300s",
    "the time limit of the greeting and of EHLO, HELO or LHLO.",
    lmtp_suffix="lhlo_timeout",
    low=1,
)
XFORWARD_TIMEOUT = _pair("xforward_timeout", TIME, "300s", "the time limit of the answer to XFORWARD.", low=1)
MAIL_TIMEOUT = _pair("mail_timeout", TIME, "300s", "the time limit of the answer to MAIL.", low=1)
RCPT_TIMEOUT = _pair("rcpt_timeout", TIME, "300s", "the time limit of the answer to RCPT.", low=1)
DATA_INIT_TIMEOUT = _pair("data_init_timeout", TIME, "120s", "the time limit of the answer to DATA.", low=1)
DATA_XFER_TIMEOUT = _pair(
    "data_xfer_timeout", TIME, "180s", "how long the sending of content may stand still.", low=1
)
DATA_DONE_TIMEOUT = _pair(
    "data_done_timeout",
    TIME,
    "600s",
    "the time limit of the answer to the end of the content; when it is over, mail may arrive twice.",
    low=1,
)
RSET_TIMEOUT = _pair("rset_timeout", TIME, "20s", "the time limit of the answer to RSET.", low=1)
QUIT_TIMEOUT = _pair("quit_timeout", TIME, "300s", "the time limit of the answer to QUIT.", low=1)

# --- how long to keep a connection
CONNECTION_CACHE_ON_DEMAND = _pair(
    "connection_cache_on_demand",
    BOOL,
    "yes",
    "keep a connection for the next message while a destination has much mail.",
)
CONNECTION_CACHE_DESTINATIONS = _pair(
    "connection_cache_destinations",
    LIST,
    "",
    "the destinations, without [] and port, whose connections are always kept for a while.",
)
CONNECTION_CACHE_TIME_LIMIT = _pair(
    "connection_cache_time_limit", TIME, "2s", "how long an idle connection is kept.", low=1
)
CONNECTION_REUSE_TIME_LIMIT = _pair(
    "connection_reuse_time_limit", TIME, "300s", "how long a connection is used again and again.", low=1
)
CONNECTION_REUSE_COUNT_LIMIT = _pair(
    "connection_reuse_count_limit",
    INT,
    "0",
    "how often a connection is used again; 0 for no limit.",
    low=0,
)


class ClientParams:
    """The settings of one client program, smtp or lmtp, whatever their names begin with."""

    __slots__ = ("_settings", "program")

    def __init__(self, settings: Settings, program: str) -> None:
        self._settings = settings
        self.program = program

    def __getitem__(self, pair: Pair[T]) -> T:
        return self._settings[pair[self.program]]
