"""The commands of a mail transaction: addresses and parameters as they go over the wire."""

from __future__ import annotations

import re
from collections.abc import Sequence

from postroad.mail.address import to_external
from postroad.model.message import DELAY, FAILURE, NEVER, SUCCESS, Message, Recipient
from postroad.proto.client_features import Features

#: A line that an address could begin by itself would be a command of the sender's own making.
_UNSENDABLE = re.compile("[\x00\r\n]")
# RFC 3461 4: xtext is printable ASCII without "+" and "="; anything else is +XX.
_NO_XTEXT = re.compile(rb"[^!-*,-<>-~]")
# RFC 6533 3: utf-8-addr-unitext leaves these as they are, all else that is ASCII becomes \x{XX}.
_NO_UNITEXT = re.compile(r"[\x00-\x20+=\\\x7f]")
_NOTIFY = ((NEVER, "NEVER"), (SUCCESS, "SUCCESS"), (FAILURE, "FAILURE"), (DELAY, "DELAY"))


class UnsendableAddress(ValueError):  # noqa: N818 - a property of the address
    """The address has characters that no command may have."""


def wire(address: str) -> bytes:
    """Return an address as a command has it between ``<`` and ``>``; raises UnsendableAddress."""
    if _UNSENDABLE.search(address):
        raise UnsendableAddress(address)
    return to_external(address).encode("utf-8", "surrogateescape")


def xtext(data: bytes) -> bytes:
    """Return data in RFC 3461's xtext."""
    return _NO_XTEXT.sub(lambda found: b"+%02X" % ord(found[0]), data)


def needs_smtputf8(message: Message, recipients: Sequence[Recipient]) -> bool:
    """Return whether the envelope cannot be sent without SMTPUTF8."""
    return not (message.sender.isascii() and all(r.address.isascii() for r in recipients))


def mail_command(message: Message, features: Features, size: int, *, smtputf8: bool) -> bytes:
    """Return MAIL with its parameters.  ``size`` in bytes, 0 for none; raises UnsendableAddress."""
    parts = [b"MAIL FROM:<%b>" % wire(message.sender)]
    if features.size and size:  # RFC 1870 6.1
        parts.append(b"SIZE=%d" % size)
    if features.eight_bit and message.eight_bit:  # RFC 6152 3
        parts.append(b"BODY=8BITMIME")
    if features.dsn:
        if message.envid:
            parts.append(b"ENVID=" + xtext(message.envid.encode("utf-8", "surrogateescape")))
        if message.ret:
            parts.append(b"RET=" + message.ret.encode())
    if smtputf8 and features.smtputf8:  # RFC 6531 3.4
        parts.append(b"SMTPUTF8")
    return b" ".join(parts) + b"\r\n"


def rcpt_command(recipient: Recipient, features: Features, *, smtputf8: bool) -> bytes:
    """Return RCPT with its parameters; raises UnsendableAddress."""
    address = wire(recipient.address)
    if not features.dsn:
        return b"RCPT TO:<%b>\r\n" % address
    orcpt = _orcpt(recipient, smtputf8=smtputf8)
    notify = b""
    if recipient.notify:
        names = ",".join(name for bit, name in _NOTIFY if recipient.notify & bit)
        notify = b" NOTIFY=" + names.encode()
    return b"RCPT TO:<%b>%b%b\r\n" % (address, orcpt, notify)


def _orcpt(recipient: Recipient, *, smtputf8: bool) -> bytes:
    """Return `` ORCPT=type;address``: what the client said, else the address from before aliases."""
    kind, parted, address = recipient.orcpt.partition(";")
    if not parted:
        address = to_external(recipient.original)
        kind = "rfc822" if address.isascii() or not smtputf8 else "utf-8"
    if not address:
        return b""
    if kind.lower() == "utf-8":
        if not smtputf8:  # RFC 6533 3: the form without raw UTF-8
            quoted = _NO_UNITEXT.sub(_escape, address)
            quoted = "".join(c if c.isascii() else f"\\x{{{ord(c):X}}}" for c in quoted)
            return f" ORCPT=utf-8;{quoted}".encode("utf-8", "replace")
        return f" ORCPT=utf-8;{_NO_UNITEXT.sub(_escape, address)}".encode("utf-8", "surrogateescape")
    return b" ORCPT=%b;%b" % (xtext(kind.encode("ascii", "replace")), xtext(address.encode("utf-8", "surrogateescape")))  # fmt: skip  # noqa: E501


def _escape(found: re.Match[str]) -> str:
    return f"\\x{{{ord(found[0]):02X}}}"
