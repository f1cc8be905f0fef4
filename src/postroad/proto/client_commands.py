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
# An address that stays what it is, on the wire as in xtext.
_PLAIN = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*@[A-Za-z0-9.-]+")
_NOTIFY = ((NEVER, "NEVER"), (SUCCESS, "SUCCESS"), (FAILURE, "FAILURE"), (DELAY, "DELAY"))


class UnsendableAddress(ValueError):  # noqa: N818 - a property of the address
    """The address has characters that no command may have."""


def wire(address: str, external: External) -> bytes:
    """Return an address as a command has it between ``<`` and ``>``; raises UnsendableAddress."""
    if _PLAIN.fullmatch(address):
        return address.encode()
    if _UNSENDABLE.search(address):
        raise UnsendableAddress(address)
    return external(address).encode("utf-8", "surrogateescape")


def usual_envelope(message: Message, recipients: Sequence[Recipient], size: int, features: Features) -> bytes:
    """Return MAIL, RCPT and DATA in one for a message like most: one recipient, nothing special; else b"".

    What the functions below make of it is the same, in more steps than all else that a message needs
    between its content and the next.
    """
    if len(recipients) != 1:
        return b""
    recipient = recipients[0]
    sender, address = message.sender, recipient.address
    if (
        not _PLAIN.fullmatch(address)
        or (sender and not _PLAIN.fullmatch(sender))
        or recipient.original != address
        or recipient.notify
        or recipient.orcpt
        or message.smtputf8
        or message.envid
        or message.ret
        or (message.eight_bit and not features.eight_bit)
        or (features.size and not 0 < size <= (features.size_limit or size))
    ):
        return b""
    told = f" SIZE={size}" if features.size else ""
    body = " BODY=8BITMIME" if message.eight_bit else ""
    orcpt = f" ORCPT=rfc822;{address}" if features.dsn else ""
    return f"MAIL FROM:<{sender}>{told}{body}\r\nRCPT TO:<{address}>{orcpt}\r\nDATA\r\n".encode()


def needs_smtputf8(message: Message, recipients: Sequence[Recipient]) -> bool:
    """Return whether the envelope cannot be sent without SMTPUTF8."""
    if not message.sender.isascii():
        return True
    for recipient in recipients:  # noqa: SIM110 - any() would make a generator for each message
        if not recipient.address.isascii():
            return True
    return False


def mail_command(message: Message, features: Features, size: int, external: External, *, smtputf8: bool) -> bytes:  # fmt: skip  # noqa: E501
    """Return MAIL with its parameters.  ``size`` in bytes, 0 for none; raises UnsendableAddress."""
    sender = wire(message.sender, external)
    command = b"MAIL FROM:<%b>" % sender
    if features.size and size:  # RFC 1870 6.1
        command = b"%b SIZE=%d" % (command, size)
    if features.eight_bit and message.eight_bit:  # RFC 6152 3
        command += b" BODY=8BITMIME"
    if features.dsn:
        if message.envid:
            command += b" ENVID=" + xtext.encode(_sound(message.envid)).encode()
        if message.ret:
            command += b" RET=" + message.ret.encode()
    if smtputf8 and features.smtputf8:  # RFC 6531 3.4
        command += b" SMTPUTF8"
    return command + b"\r\n"


def rcpt_command(recipient: Recipient, features: Features, external: External, *, smtputf8: bool) -> bytes:
    """Return RCPT with its parameters; raises UnsendableAddress."""
    address = wire(recipient.address, external)
    if not features.dsn:
        return b"RCPT TO:<%b>\r\n" % address
    if (
        recipient.original == recipient.address
        and not recipient.notify
        and not recipient.orcpt
        and _PLAIN.fullmatch(recipient.address)
    ):
        return b"RCPT TO:<%b> ORCPT=rfc822;%b\r\n" % (address, address)  # as below, without the steps
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
