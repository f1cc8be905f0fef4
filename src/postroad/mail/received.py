"""The Received field that a message gets on its way in (RFC 5321 4.4), in Postfix's form."""

from __future__ import annotations

import re

from postroad.mail.address import to_external
from postroad.model.session import Session

# What a client says of itself stands outside any quotes: it must not look like a comment, an address or
# the next clause.
_UNFIT = re.compile('[\x00-\x20\x7f-\x9f\u2028\u2029<>()\\\\";@]')


def fit(text: str) -> str:
    """Return a name that came from the client with what could break the field replaced by ``?``."""
    return text if text.isascii() and text.isalnum() else _UNFIT.sub("?", text)


def with_protocol(session: Session) -> str:
    """Return the ``with`` clause's protocol: SMTP, ESMTP, ESMTPS, ESMTPSA, UTF8SMTP ..."""
    # RFC 3848 and RFC 6531 4.3
    protocol = session.protocol
    if protocol == "SMTP":
        return protocol
    if session.transaction.smtputf8:
        protocol = "UTF8" + protocol.removeprefix("E")
    return protocol + ("S" if session.tls else "") + ("A" if session.sasl_username else "")


def client_clauses(session: Session, *, tls: bool, login: bool) -> str:
    """Return the first lines: ``Received: from HELO (NAME [ADDRESS])``, and what TLS and AUTH add."""
    client = session.client
    address = f"IPv6:{client.address}" if ":" in client.address else client.address
    lines = [f"Received: from {fit(session.helo or client.name)} ({fit(client.name)} [{address}])\r\n"]
    if tls and session.tls:
        lines += [f"\t{line.rstrip()}\r\n" for line in session.tls.splitlines()]
    if login and session.sasl_username:
        lines.append(f"\t(Authenticated sender: {fit(session.sasl_username)})\r\n")
    return "".join(lines)


def recipient_clause(session: Session, date: str) -> str:
    """Return the end of the field: whom it is for, if there is one recipient only, and the date."""
    recipients = session.transaction.recipients
    if len(recipients) == 1:
        # One recipient only: to name one of several would tell the others (RFC 5321 7.6).
        return f"\r\n\tfor <{_safe(to_external(recipients[0].original))}>; {date}\r\n"
    return f";\r\n\t{date}\r\n"


def _safe(address: str) -> str:
    return address if address.isprintable() else re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", "?", address)


def local_field(hostname: str, product: str, uid: int, queue_id: str, date: str) -> str:
    """Return the field of a message that a local user gave to sendmail(1)."""
    return f"Received: by {hostname} ({product}, from userid {uid})\r\n\tid {queue_id}; {date}\r\n"


def internal_field(hostname: str, product: str, queue_id: str, date: str) -> str:
    """Return the field of a message that was made here: a notice, a forwarded message."""
    return f"Received: by {hostname} ({product})\r\n\tid {queue_id}; {date}\r\n"
