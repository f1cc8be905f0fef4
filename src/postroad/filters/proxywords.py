"""What is said to a before-queue content filter, and what its replies are to the client."""

from __future__ import annotations

import re

from postroad.mail.address import to_external
from postroad.model.message import DELAY, FAILURE, NEVER, SUCCESS, Recipient
from postroad.model.reply import Reply
from postroad.model.session import Transaction
from postroad.proto import xtext
from postroad.proto.client_commands import UnsendableAddress, rcpt_command, wire
from postroad.proto.client_features import Features
from postroad.proto.replies import ServerReply, printable

UNAVAILABLE = Reply(451, "4.3.0", "Error: queue file write error")  # Postfix's words
_STATUS = re.compile(r"([245]\.\d{1,3}\.\d{1,3}) (.*)", re.DOTALL)
_NOTIFY = ((NEVER, "NEVER"), (SUCCESS, "SUCCESS"), (FAILURE, "FAILURE"), (DELAY, "DELAY"))
_WITH_DSN = Features()
_WITH_DSN.dsn = True


def reply_of(reply: ServerReply) -> Reply:
    """Return what the client hears of a filter's reply: its last line, as in Postfix.

    Only one that is a yes or a no is handed on.
    """
    if reply.code // 100 not in (2, 4, 5):
        return UNAVAILABLE
    text = printable(reply.raw.split(b"\n")[-1])[4:]
    found = _STATUS.fullmatch(text)
    if found is not None and found[1][0] == str(reply.code)[0]:
        return Reply(reply.code, found[1], found[2])
    return Reply(reply.code, "", text)


def mail_line(transaction: Transaction) -> bytes:
    """Return MAIL as the client said it; b"" when that cannot be said."""
    try:
        line = b"MAIL FROM:<%b>" % wire(transaction.sender or "", to_external)
    except UnsendableAddress:
        return b""
    words = [
        f"SIZE={transaction.size}" if transaction.size else "",
        "BODY=8BITMIME" if transaction.eight_bit else "",
        "SMTPUTF8" if transaction.smtputf8 else "",
        f"RET={transaction.ret}" if transaction.ret else "",
        f"ENVID={xtext.encode(transaction.envid)}" if transaction.envid else "",
        f"AUTH={transaction.auth}" if transaction.auth else "",  # not decoded
    ]
    return b" ".join([line, *(word.encode("utf-8", "surrogateescape") for word in words if word)]) + b"\r\n"


def rcpt_line(recipient: Recipient, *, smtputf8: bool = False) -> bytes:
    """Return RCPT as the client said it; b"" when that cannot be said."""
    try:
        if recipient.orcpt:
            return rcpt_command(recipient, _WITH_DSN, to_external, smtputf8=smtputf8)
        line = b"RCPT TO:<%b>" % wire(recipient.original, to_external)
    except UnsendableAddress:
        return b""
    notify = ",".join(name for bit, name in _NOTIFY if recipient.notify & bit)
    return line + (f" NOTIFY={notify}" if notify else "").encode() + b"\r\n"
