"""The lines that postscreen(8), and dnsblog(8) for it, write to the log."""

from __future__ import annotations

from typing import Final

from postroad.base.log import Event
from postroad.proto.postscreen import Notice

_PROGRAM: Final = "postscreen"


def _event(text: str, doc: str) -> Event:
    return Event(_PROGRAM, text, doc)


CONNECT = _event("CONNECT from [%s]:%s to [%s]:%s", "A client has connected to a port with postscreen.")
DISCONNECT = _event("DISCONNECT [%s]:%s", "The connection of a client that did not pass has ended.")
HANGUP = _event("HANGUP after %s from [%s]:%s in %s", "A client left in the middle of the tests.")
LISTED = _event("%sLISTED [%s]:%s", "postscreen_access_list lets a client through, or fails it.")
VETO = _event("%sLIST VETO [%s]:%s", "postscreen_allowlist_interfaces has not the address that was called.")
PASS = _event("PASS %s [%s]:%s", "A client has passed: OLD when it had done so before.")
PREGREET = _event("PREGREET %s after %s from [%s]:%s: %s", "A client spoke before its turn.")
DNSBL = _event("DNSBL rank %s for [%s]:%s", "The lists in the DNS speak against a client.")
REFUSED = _event("NOQUEUE: reject: CONNECT from [%s]:%s: %s", "There are too many connections.")
BUSY = _event(
    "reject: connect from [%s]:%s: all screening ports busy",
    "So many clients are under test as postscreen_pre_queue_limit says.",
)
STRESSED = _event(
    "entering STRESS mode with %s connections",
    "Nine tenths of postscreen_pre_queue_limit are under test: from now on the tests are short.",
)
RELAXED = _event(
    "leaving STRESS mode with %s connections",
    "No more than seven tenths of postscreen_pre_queue_limit are under test.",
)
REPLACED = _event(
    '%s: replacing command "%s" with "%s"',
    "postscreen_command_filter has another command in place of the client's.",
)
FILTER_FAILED = Event(
    _PROGRAM,
    "warning: %s: postscreen_command_filter lookup error: %s",
    "It is not known what a command means: the client was told to come again.",
    urgent=True,
)
NO_HEADER = Event(
    _PROGRAM, "warning: haproxy read: %s", "A proxy did not say who the client is.", urgent=True
)
CACHE = _event(
    "cache %s full cleanup: retained=%s dropped=%s entries", "Clients that did not come again were forgotten."
)
BLOCKED = Event("dnsblog", "addr %s listed by domain %s as %s", "A list in the DNS has a client.")
TLS_ESTABLISHED = Event(
    "tlsproxy", "%s TLS connection established from [%s]:%s: %s", "A session is encrypted."
)
TLS_BEGINS = Event("tlsproxy", "CONNECT from [%s]:%s", "A client under test was told to start TLS.")
TLS_ENDS = Event("tlsproxy", "DISCONNECT [%s]:%s", "The TLS of a client under test has ended.")
TLS_PROBLEM = Event("tlsproxy", "warning: TLS library problem: %s", "TLS is broken.", urgent=True)
TLS_FAILED = Event(
    "tlsproxy", "TLS handshake failed for service=%s peer=[%s]:%s", "A client could not shake hands."
)
#: The client's place, ``[address]:port``, is the first value.
NOTICES: Final = {
    Notice.BARE_NEWLINE: _event(
        "BARE NEWLINE from %s after %s", "A client ends lines with a line feed alone."
    ),
    Notice.PIPELINING: _event(
        "COMMAND PIPELINING from %s after %s: %s", "A client does not wait for answers."
    ),
    Notice.NON_SMTP: _event("NON-SMTP COMMAND from %s after %s: %s %s", "A client speaks another protocol."),
    Notice.COUNT_LIMIT: _event("COMMAND COUNT LIMIT from %s after %s", "Too many commands."),
    Notice.LENGTH_LIMIT: _event("COMMAND LENGTH LIMIT from %s after %s", "A command is too long."),
    Notice.TIME_LIMIT: _event("COMMAND TIME LIMIT from %s after %s", "A command takes too long."),
    Notice.REFUSED: _event(
        "NOQUEUE: reject: RCPT from %s: %s; from=<%s>, to=<%s>, proto=%s, helo=<%s>",
        "A client under test would send mail.",
    ),
}
WITHOUT_RCPT = _event("%s without valid RCPT from %s", "A client under test would send a message.")
