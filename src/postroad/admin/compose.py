"""Composing a message: MIME, and headers and addresses in any script."""

from __future__ import annotations

import email.message
import email.policy
import mimetypes
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from postroad.mail.encoded import phrase
from postroad.mail.header_address import Sort, addresses, parse

_OWN = frozenset({"from", "to", "cc", "bcc", "subject", "date", "message-id", "mime-version"})
_STRUCTURED = frozenset({"content-type", "content-transfer-encoding"})
#: RFC 5322 2.1.1 allows lines of 998 characters; shorter ones survive more programs.
_LINE_LIMIT = 998


@dataclass(slots=True)
class Draft:
    """What a person wants to send.  ``to`` and the like are header texts: ``Name <address>, ...``."""

    sender: str
    to: Sequence[str] = ()
    cc: Sequence[str] = ()
    bcc: Sequence[str] = ()
    subject: str = ""
    text: str = ""
    html: str = ""
    attachments: Sequence[Path] = ()
    headers: Sequence[tuple[str, str]] = field(default_factory=list)
    date: str = ""
    message_id: str = ""

    @property
    def recipients(self) -> list[str]:
        """Return every recipient's address, once."""
        lines = (*self.to, *self.cc, *self.bcc)
        return list(dict.fromkeys(found for line in lines for found in addresses(line, sys.maxsize)))


def compose(draft: Draft) -> tuple[bytes, bool]:
    """Return the message, CRLF line ends, and whether it needs SMTPUTF8: an address is not ASCII.

    ValueError for what no message may have, OSError for an attachment that cannot be read.
    Bcc stays out of the message.
    """
    wide = not all(a.isascii() for a in (*draft.recipients, *addresses(draft.sender)))
    policy = (email.policy.SMTPUTF8 if wide else email.policy.SMTP).clone(max_line_length=78)
    message = email.message.EmailMessage(policy)
    _check_line(draft.subject)
    for name, value in _fields(draft):
        if value:
            message[name] = value
    for name, value in draft.headers:
        _check_field(name, value)
        message[name] = value
    _fill(message, draft)
    return message.as_bytes(), wide


def _fields(draft: Draft) -> list[tuple[str, str]]:
    return [
        ("From", _readable(draft.sender)),
        ("To", ", ".join(map(_readable, draft.to))),
        ("Cc", ", ".join(map(_readable, draft.cc))),
        ("Subject", draft.subject),
        ("Date", draft.date),
        ("Message-ID", draft.message_id),
    ]


def _readable(line: str) -> str:
    """Check an address list that was typed; ValueError unless there is an address in it."""
    _check_line(line)
    if not any(part.sort is Sort.ADDRESS and part.text for part in parse(line)):
        raise ValueError(f"no address in {line!r}")
    return line


def _check_line(text: str) -> None:
    if any(ord(char) < 0x20 and char != "\t" for char in text):
        raise ValueError(f"a control character in {text!r}")


def _check_field(name: str, value: str) -> None:
    """A name or value that is none could add fields of its own."""
    _check_line(value)
    if not name.isascii() or not name or not all(0x21 <= ord(c) <= 0x7E and c != ":" for c in name):
        raise ValueError(f"not a header's name: {name!r}")
    if name.lower() in _OWN | _STRUCTURED:
        raise ValueError(f"--header cannot set {name}: it has an option of its own, or is made here")


def _fill(message: email.message.EmailMessage, draft: Draft) -> None:
    message.set_content(_ended(draft.text), cte=_encoding(draft.text))
    if draft.html:
        message.add_alternative(_ended(draft.html), subtype="html", cte=_encoding(draft.html))
    for path in draft.attachments:
        kind, packing = mimetypes.guess_type(path.name)
        main, _, sub = (kind if kind and not packing else "application/octet-stream").partition("/")
        if main in ("text", "message", "multipart"):  # sent as it is, whatever its line ends and charset
            main, sub = "application", "octet-stream"
        message.add_attachment(path.read_bytes(), maintype=main, subtype=sub, filename=path.name)


def _ended(text: str) -> str:
    return text if text.endswith("\n") or not text else text + "\n"


def _encoding(text: str) -> str:
    """Return the transfer encoding that lets a text survive every server (RFC 2045 6)."""
    long = any(len(line.encode("utf-8", "replace")) > _LINE_LIMIT for line in text.splitlines())
    if text.isascii() and not long:
        return "7bit"
    return "quoted-printable" if sum(map(str.isascii, text)) * 6 > len(text) * 5 else "base64"


def display(name: str, address: str) -> str:
    """Return ``name <address>`` with the name quoted or encoded where needed."""
    shown = phrase(name)
    return f"{shown} <{address}>" if shown else address
