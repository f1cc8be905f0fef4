"""Delivery status notifications: RFC 3464 in RFC 6522's multipart/report, worded as Postfix words them.

Composes bytes from values; knows nothing of queues, time or files.  Every value that came from
outside is put on one line with its control characters gone, so that nobody can add a header field
(RFC 3464 2.1.1).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum

_CONTROL = re.compile("[\x00-\x1f\x7f\x85\u2028\u2029]+")
_LINE = 900  # characters of one value, so that a line stays under RFC 5322's 998
_WIDTH = 79  # at which bounce(8) folds


class Kind(Enum):
    """What a notice says.  The value is its Action (RFC 3464 2.3.3)."""

    FAILURE = "failed"
    DELAY = "delayed"
    SUCCESS = "delivered"


@dataclass(frozen=True, slots=True)
class Entry:
    """What is said of one recipient."""

    address: str
    action: str
    status: str
    text: str
    orcpt: str = ""  # as the client gave it, "rfc822;..."
    original: str = ""
    remote: str = ""  # the host that said ``reply``
    reply: str = ""


@dataclass(frozen=True, slots=True)
class Notice:
    """Everything a notice needs; ``returned`` is what comes back of the message, CRLF line ends."""

    kind: Kind
    sender: str  # the From field's address
    to: str
    hostname: str
    mail_name: str
    queue_id: str  # of the message that is reported on
    arrival: str  # RFC 5322 date
    date: str
    boundary: str
    message_id: str
    original_sender: str
    entries: Sequence[Entry] = field(default_factory=tuple)
    envid: str = ""
    returned: bytes = b""
    headers_only: bool = False
    smtputf8: bool = False
    retry_until: str = ""  # RFC 5322 date, for a delay
    postmaster: bool = False  # a copy for the postmaster
    old_from: bool = False  # header_from_format = obsolete
    ascii_text: bool = False  # smtputf8_enable = no: the text's charset is us-ascii


_SUBJECTS = {
    Kind.FAILURE: "Undelivered Mail Returned to Sender",
    Kind.DELAY: "Delayed Mail (still being retried)",
    Kind.SUCCESS: "Successful Mail Delivery Report",
}
_POSTMASTER_SUBJECTS = {
    Kind.FAILURE: "Postmaster Copy: Undelivered Mail",
    Kind.DELAY: "Postmaster Warning: Delayed Mail",
    Kind.SUCCESS: "Postmaster Copy: Delivery Report",
}
_SORRY = """This is the mail system at host {hostname}.

I'm sorry to have to inform you that your message could not
be delivered to one or more recipients. It's attached below.

For further assistance, please send mail to postmaster.

If you do so, please include this problem report. You can
delete your own text from the attached returned message.

                   The mail system
"""
_LATE = """This is the mail system at host {hostname}.

####################################################################
# THIS IS A WARNING ONLY.  YOU DO NOT NEED TO RESEND YOUR MESSAGE. #
####################################################################

Your message could not be delivered for more than {hours} hour(s).
It will be retried until it is {days} day(s) old.

For further assistance, please send mail to postmaster.

If you do so, please include this problem report. You can
delete your own text from the attached returned message.

                   The mail system
"""
_DONE = """This is the mail system at host {hostname}.

Your message was successfully delivered to the destination(s)
listed below. If the message was delivered to mailbox you will
receive no further notifications. Otherwise you may still receive
notifications of mail delivery errors from other systems.

                   The mail system
"""
_TEXTS = {Kind.FAILURE: _SORRY, Kind.DELAY: _LATE, Kind.SUCCESS: _DONE}


def one_line(text: str, most: int = _LINE) -> str:
    """Return the text on one line without control characters, cut to ``most`` characters."""
    return _CONTROL.sub(" ", text)[:most].strip()


def compose(notice: Notice, *, warning_seconds: int = 0, lifetime_seconds: int = 0) -> bytes:
    """Return the whole notice, header and body, with CRLF line ends."""
    text = _TEXTS[notice.kind].format(
        hostname=notice.hostname, hours=warning_seconds // 3600, days=lifetime_seconds // 86400
    )
    if notice.postmaster:
        text = ""
    # RFC 6533: a report that has to name UTF-8 addresses is of the global- types.
    wide = notice.smtputf8 or not all(e.address.isascii() for e in notice.entries)
    boundary = notice.boundary
    utf8 = wide or not notice.ascii_text
    parts = [
        _head(notice),
        f"This is a MIME-encapsulated message.\n\n--{boundary}\n"
        "Content-Description: Notification\n"
        f"Content-Type: text/plain; charset={'utf-8' if utf8 else 'us-ascii'}\n"
        + ("Content-Transfer-Encoding: 8bit\n" if utf8 else "")
        + f"\n{text}\n",
        *(f"{_wrapped(entry)}\n\n" for entry in notice.entries),
        f"--{boundary}\nContent-Description: Delivery report\n"
        f"Content-Type: message/{'global-' if wide else ''}delivery-status\n"
        + ("Content-Transfer-Encoding: 8bit\n" if wide else "")
        + "\n",
        _message_fields(notice, wide=wide),
        *(_recipient_fields(notice, entry, wide=wide) for entry in notice.entries),
        _returned_head(notice, wide=wide),
    ]
    data = "".join(parts).replace("\n", "\r\n").encode("utf-8", "surrogateescape")
    returned = (
        notice.returned
        if notice.returned.endswith(b"\r\n") or not notice.returned
        else notice.returned + b"\r\n"
    )
    return b"%b%b\r\n--%b--\r\n" % (data, returned, boundary.encode())


def _head(notice: Notice) -> str:
    subject = (_POSTMASTER_SUBJECTS if notice.postmaster else _SUBJECTS)[notice.kind]
    eight = notice.smtputf8 or not notice.ascii_text or _eight_bit(notice.returned)
    name = "Mail Delivery System"
    sender = f"{notice.sender} ({name})" if notice.old_from else f"{name} <{notice.sender}>"
    # RFC 3834 2: notices say that no person wrote them.
    return (
        f"Date: {notice.date}\n"
        f"From: {sender}\n"
        f"Subject: {subject}\n"
        f"To: {one_line(notice.to)}\n"
        f"Auto-Submitted: auto-{'generated' if notice.postmaster else 'replied'}\n"
        "MIME-Version: 1.0\n"
        "Content-Type: multipart/report; report-type=delivery-status;\n"
        f'\tboundary="{notice.boundary}"\n'
        + ("Content-Transfer-Encoding: 8bit\n" if eight else "")
        + f"Message-Id: <{notice.message_id}>\n\n"
    )


def _eight_bit(data: bytes) -> bool:
    return not data.isascii()


def _wrapped(entry: Entry) -> str:
    """Return ``<address>: text`` in lines of at most 79, as bounce(8) prints it."""
    origin = (
        f" (expanded from <{one_line(entry.original)}>)"
        if entry.original and entry.original != entry.address
        else ""
    )
    return _folded(f"<{one_line(entry.address)}>{origin}: {one_line(entry.text, 4000)}")


def _folded(text: str) -> str:
    """Return the text in lines of at most 79, the second and further ones behind four blanks.

    A longer word has a line of its own; one that RFC 5322 2.1.1 does not allow is cut in pieces.
    """
    words = [word[at : at + _LINE] for word in text.split(" ") for at in range(0, len(word) or 1, _LINE)]
    lines = [words[0]]
    for word in words[1:]:
        if word and len(lines[-1]) + 1 + len(word) > _WIDTH:
            lines.append("    " + word)
        else:
            lines[-1] += " " + word
    return "\n".join(lines)


def _message_fields(notice: Notice, *, wide: bool) -> str:
    """RFC 3464 2.2: the per-message fields."""
    kind = "utf-8" if wide and not notice.original_sender.isascii() else "rfc822"
    lines = [f"Reporting-MTA: dns; {notice.hostname}\n"]
    if notice.envid:
        lines.append(f"Original-Envelope-Id: {one_line(notice.envid)}\n")
    lines.append(f"X-{notice.mail_name}-Queue-ID: {notice.queue_id}\n")
    lines.append(f"X-{notice.mail_name}-Sender: {kind}; {one_line(notice.original_sender)}\n")
    lines.append(f"Arrival-Date: {notice.arrival}\n")
    return "".join(lines)


def _recipient_fields(notice: Notice, entry: Entry, *, wide: bool) -> str:
    """RFC 3464 2.3: the fields of one recipient."""
    kind = "utf-8" if wide and not entry.address.isascii() else "rfc822"
    lines = [f"\nFinal-Recipient: {kind}; {one_line(entry.address)}\n"]
    if entry.orcpt:
        lines.append(f"Original-Recipient: {one_line(entry.orcpt)}\n")
    elif entry.original:
        kind = "rfc822" if entry.original.isascii() else "utf-8"  # RFC 6533 3
        lines.append(f"Original-Recipient: {kind};{one_line(entry.original)}\n")
    lines.append(f"Action: {entry.action}\nStatus: {entry.status}\n")
    if entry.remote:
        lines.append(f"Remote-MTA: dns; {one_line(entry.remote)}\n")
        lines.append(_folded(f"Diagnostic-Code: smtp; {one_line(entry.reply or entry.text)}") + "\n")
    else:
        lines.append(_folded(f"Diagnostic-Code: X-{notice.mail_name}; {one_line(entry.text)}") + "\n")
    if notice.kind is Kind.DELAY and notice.retry_until:
        lines.append(f"Will-Retry-Until: {notice.retry_until}\n")
    return "".join(lines)


def _returned_head(notice: Notice, *, wide: bool) -> str:
    what = "" if notice.kind is Kind.SUCCESS else "Undelivered "
    if notice.headers_only:
        kind = "message/global-headers" if wide else "text/rfc822-headers"
        description = f"{what}Message Headers"
    else:
        kind = "message/global" if wide else "message/rfc822"
        description = f"{what}Message"
    eight = wide or not notice.ascii_text or _eight_bit(notice.returned)
    return (
        f"\n--{notice.boundary}\nContent-Description: {description}\nContent-Type: {kind}\n"
        + ("Content-Transfer-Encoding: 8bit\n" if eight else "")
        + f"\nReturn-Path: <{one_line(notice.original_sender)}>\n"
    )
