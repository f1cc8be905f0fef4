"""The commands of a mail transaction: addresses and parameters as they go over the wire."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from postroad.model.message import DELAY, FAILURE, NEVER, SUCCESS, Message, Recipient
from postroad.proto import xtext
from postroad.proto.client_features import Features

External = Callable[[str], str]

#: A line that an address could begin by itself would be a command of the sender's own making.
_UNSENDABLE = re.compile("[\x00\r\n]")
# RFC 6533 3: utf-8-addr-unitext leaves these as they are, all else that is ASCII becomes \x{XX}.
_NO_UNITEXT = re.compile(r"[\x00-\x20+=\\\x7f]")
_NOTIFY = ((NEVER, "NEVER"), (SUCCESS, "SUCCESS"), (FAILURE, "FAILURE"), (DELAY, "DELAY"))


class UnsendableAddress(ValueError):  # noqa: N818 - a property of the address
    """The address has characters that no command may have."""


def wire(address: str, external: External) -> bytes:
    """Return an address as a command has it between ``<`` and ``>``; raises UnsendableAddress."""
    if _UNSENDABLE.search(address):
        raise UnsendableAddress(address)
    return external(address).encode("utf-8", "surrogateescape")


def needs_smtputf8(message: Message, recipients: Sequence[Recipient]) -> bool:
    """Return whether the envelope cannot be sent without SMTPUTF8."""
    return not (message.sender.isascii() and all(r.address.isascii() for r in recipients))


def mail_command(message: Message, features: Features, size: int, external: External, *, smtputf8: bool) -> bytes:  # fmt: skip  # noqa: E501
    """Return MAIL with its parameters.  ``size`` in bytes, 0 for none; raises UnsendableAddress."""
    parts = [b"MAIL FROM:<%b>" % wire(message.sender, external)]
    if features.size and size:  # RFC 1870 6.1
        parts.append(b"SIZE=%d" % size)
    if features.eight_bit and message.eight_bit:  # RFC 6152 3
        parts.append(b"BODY=8BITMIME")
    if features.dsn:
        if message.envid:
            parts.append(b"ENVID=" + xtext.encode(_sound(message.envid)).encode())
        if message.ret:
            parts.append(b"RET=" + message.ret.encode())
    if smtputf8 and features.smtputf8:  # RFC 6531 3.4
        parts.append(b"SMTPUTF8")
    return b" ".join(parts) + b"\r\n"


def rcpt_command(recipient: Recipient, features: Features, external: External, *, smtputf8: bool) -> bytes:
    """Return RCPT with its parameters; raises UnsendableAddress."""
    address = wire(recipient.address, external)
    if not features.dsn:
        return b"RCPT TO:<%b>\r\n" % address
    orcpt = _orcpt(recipient, external, smtputf8=smtputf8)
    notify = ""
    if recipient.notify:
        notify = " NOTIFY=" + ",".join(name for bit, name in _NOTIFY if recipient.notify & bit)
    return b"RCPT TO:<%b>%b\r\n" % (address, f"{orcpt}{notify}".encode())


def _orcpt(recipient: Recipient, external: External, *, smtputf8: bool) -> str:
    """Return `` ORCPT=type;address``: what the client said, else the address from before aliases."""
    kind, parted, address = recipient.orcpt.partition(";")
    if not parted:
        address = external(recipient.original)
        kind = "rfc822" if address.isascii() or not smtputf8 else "utf-8"
    if not address:
        return ""
    address = _sound(address)
    if kind.lower() != "utf-8":
        return f" ORCPT={xtext.encode(_sound(kind))};{xtext.encode(address)}"
    address = _NO_UNITEXT.sub(_escape, address)
    if not smtputf8:  # RFC 6533 3: the form without raw UTF-8
        address = "".join(c if c.isascii() else f"\\x{{{ord(c):X}}}" for c in address)
    return f" ORCPT=utf-8;{address}"


def _escape(found: re.Match[str]) -> str:
    return f"\\x{{{ord(found[0]):02X}}}"


def _sound(text: str) -> str:
    """Return text in which what is not UTF-8 is a replacement character: it only informs."""
    return text if text.isascii() else text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
