"""The lines that a session writes to the log, in smtpd(8)'s words."""

from __future__ import annotations

from postroad.base.log import Event
from postroad.proto.hooks import Notice

_PROGRAM = "smtpd"
CONNECT = Event(_PROGRAM, "connect from %s", "A client has connected.")
DISCONNECT = Event(
    _PROGRAM,
    "disconnect from %s%s",
    "A session has ended; each command with how often it was accepted, and of how many when that differs.",
)
ACCEPTED = Event(_PROGRAM, "%s: client=%s", "A mail transaction has its queue id.")
LOCAL = Event("pickup", "%s: uid=%s from=<%s>", "A local user submits a message.")
REFUSED = Event(_PROGRAM, "%s: %s: %s from %s: %s;%s", "A command was refused.")
ENDED = Event(
    _PROGRAM,
    "%s after %s from %s",
    "A session ended before its time: lost connection, timeout or too many errors.",
)
ENDED_IN_CONTENT = Event(
    _PROGRAM, "%s after %s (%s bytes) from %s", "A session ended while a message was on its way."
)
TOO_MANY_SESSIONS = Event(
    _PROGRAM,
    "warning: Connection concurrency limit exceeded: %s from %s for service %s",
    "A client has more sessions than smtpd_client_connection_count_limit.",
    urgent=True,
)
NO_PROXY_HEADER = Event(
    _PROGRAM,
    "warning: haproxy read: %s",
    "A connection that should come by a proxy does not begin with a PROXY header; it is ended.",
    urgent=True,
)
FAILED = Event(
    _PROGRAM,
    "warning: %s: a check of %s failed: %s",
    "A restriction could not be decided; the client was told to come again.",
    urgent=True,
)
REPLACED = Event(
    _PROGRAM,
    '%s: replacing command "%s" with "%s"',
    "smtpd_command_filter has another command in place of the client's.",
)
LONG_LINE = Event(
    _PROGRAM, "warning: %s: request longer than %s: %s...", "A command line is over line_length_limit."
)
BAD_ADDRESS = Event(
    _PROGRAM, "warning: Illegal address syntax from %s in %s command: %s", "An address cannot be read."
)
BAD_CHUNK = Event(
    _PROGRAM, "warning: %s: malformed BDAT command syntax from %s: %s", "A BDAT command cannot be read."
)
NULL_CHUNK = Event(_PROGRAM, "warning: %s: null BDAT request from %s", "An empty chunk that is not the last.")
LARGE_CHUNK = Event(
    _PROGRAM,
    "warning: %s: BDAT request from %s exceeds message size limit",
    "A chunk would make the message larger than message_size_limit.",
)
TOO_BIG = Event(
    _PROGRAM, "warning: %s: queue file size limit exceeded", "A message is over message_size_limit."
)
FOREIGN = Event(_PROGRAM, "warning: non-SMTP command from %s: %s", "The client speaks another protocol.")
PIPELINING = Event(
    _PROGRAM,
    "improper command pipelining after %s from %s: %s",
    "The client sent more before it was its turn.",
)
BARE_LF = Event(
    _PROGRAM, "%s: bare <LF> received from %s", "A message has lines that end with a line feed alone."
)
ETRN_REFUSED = Event(
    _PROGRAM,
    "warning: reject: ETRN %s... from %s",
    "A client asked for the mail of a site that fast_flush_domains has not.",
)
DISCARDING = Event(
    _PROGRAM, "discarding EHLO keywords: %s", "The reply to EHLO leaves out what the operator takes away."
)

AUTH_FAILED = Event(
    _PROGRAM,
    "warning: %s: SASL %s authentication failed: %s, sasl_username=%s",
    "A client could not say who it is; the name is the one that it gave.",
    urgent=True,
)
AUTH_ABORTED = Event(
    _PROGRAM, "warning: %s: SASL %s authentication aborted", "A client gave up to authenticate itself."
)
TOO_MANY_AUTHS = Event(
    _PROGRAM,
    "warning: AUTH command rate limit exceeded: %s from %s for service %s",
    "A client sends more AUTH commands than smtpd_client_auth_rate_limit.",
    urgent=True,
)
TLS_BEGINS = Event(_PROGRAM, "setting up TLS connection from %s", "A client begins to shake hands.")
TLS_ESTABLISHED = Event(
    _PROGRAM,
    "%s TLS connection established from %s: %s",
    "A session is encrypted now; how, and whether the client's certificate is trusted.",
)
TLS_UNVERIFIED = Event(
    _PROGRAM,
    "certificate verification failed for %s: %s",
    "Why a client's certificate is not trusted, where a trusted one is demanded.",
)
TLS_UNMATCHED_NAME = Event(
    _PROGRAM,
    "TLS SNI %s from %s not matched, using default chain",
    "A client asks for a server name that tls_server_sni_maps does not have.",
)
TLS_FAILED = Event(_PROGRAM, "SSL_accept error from %s: %s", "A client did not come to terms with us.")
TLS_PROBLEM = Event(
    _PROGRAM, "warning: TLS library problem: %s", "What OpenSSL says of a session that broke.", urgent=True
)
TLS_ABORTED = Event(
    _PROGRAM, "NOQUEUE: abort: TLS from %s: %s", "A client has not the certificate that is demanded."
)
TLS_REFUSED = Event(
    _PROGRAM,
    "warning: Refusing STARTTLS request from %s for service %s",
    "A client has begun more TLS sessions than smtpd_client_new_tls_session_rate_limit.",
    urgent=True,
)
TOO_MANY_TLS = Event(
    _PROGRAM,
    "warning: New TLS session rate limit exceeded: %s from %s for service %s",
    "A client begins more TLS sessions than smtpd_client_new_tls_session_rate_limit.",
    urgent=True,
)
TLS_WITHOUT_CERTIFICATE = Event(
    _PROGRAM,
    "warning: No server certs available. TLS won't be enabled",
    "A service offers TLS, and has no certificate: STARTTLS is answered with 454.",
    urgent=True,
)
NO_WRAPPER = Event(
    _PROGRAM,
    "warning: Wrapper-mode request dropped from %s for service %s. TLS context initialization failed."
    " For details see earlier warnings in your logs.",
    "The service's sessions begin with TLS, and it has no certificate.",
    urgent=True,
)

#: What the machine tells, and the values of its line: q queue id, c client, w where, d detail.
NOTICES: dict[Notice, tuple[Event, str]] = {
    Notice.BAD_ADDRESS: (BAD_ADDRESS, "cwd"),
    Notice.BAD_CHUNK: (BAD_CHUNK, "qcd"),
    Notice.NULL_CHUNK: (NULL_CHUNK, "qc"),
    Notice.LARGE_CHUNK: (LARGE_CHUNK, "qc"),
    Notice.TOO_BIG: (TOO_BIG, "q"),
    Notice.FOREIGN: (FOREIGN, "cd"),
    Notice.PIPELINING: (PIPELINING, "wcd"),
    Notice.BARE_LF: (BARE_LF, "qc"),
    Notice.DISCARDED_KEYWORDS: (DISCARDING, "d"),
    Notice.AUTH_ABORTED: (AUTH_ABORTED, "cd"),
}
