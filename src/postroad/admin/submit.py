"""Handing in a message: its envelope and content go to a server, all of it or nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from postroad.admin.dialogue import Dialogue
from postroad.base.errors import PostroadError
from postroad.mail.address import to_external
from postroad.model.message import DELAY, FAILURE, NEVER, SUCCESS
from postroad.proto import xtext
from postroad.proto.replies import ServerReply

_NOTIFY = ((NEVER, b"NEVER"), (SUCCESS, b"SUCCESS"), (FAILURE, b"FAILURE"), (DELAY, b"DELAY"))
_UNSENDABLE = re.compile("[\x00-\x1f\x7f]")
_QUEUED = re.compile(r"queued as ([0-9A-Za-z]+)")


class UnsendableAddress(PostroadError):  # noqa: N818 - a property of the address
    """The address has control characters, which no command may have."""


class Refused(PostroadError):  # noqa: N818 - the server's decision
    """The server refused, and nothing was queued.  ``what`` is the command or the recipient."""

    def __init__(self, what: str, reply: ServerReply) -> None:
        super().__init__(f"{what}: {reply.text}")
        self.what = what
        self.reply = reply

    @property
    def temporary(self) -> bool:
        """Whether it may be accepted later."""
        return self.reply.code // 100 == 4


@dataclass(slots=True)
class Envelope:
    """Who sends, who receives, and what the sender wants to be told (RFC 3461).  Internal-form addresses.

    ``smtputf8`` asks for it even though no address needs it.
    """

    sender: str
    recipients: Sequence[str]
    notify: int = 0
    ret: str = ""
    envid: str = ""
    eight_bit: bool = False
    smtputf8: bool = False


@dataclass(slots=True)
class Receipt:
    """What the server said to the final dot: one reply, or one for each recipient (LMTP)."""

    replies: list[ServerReply] = field(default_factory=list)

    @property
    def queue_id(self) -> str:
        """Return the queue id that the reply names, if it does."""
        found = _QUEUED.search(self.replies[-1].text)
        return found[1] if found else ""


def submit(dialogue: Dialogue, name: str, envelope: Envelope, size: int, content: Iterable[bytes], secure: Callable[[Dialogue, str], None] | None = None) -> Receipt:  # fmt: skip  # noqa: E501
    """Send one message.  ``name`` is ours for EHLO, ``size`` in bytes, 0 when it is not known.

    ``secure(dialogue, name)`` comes behind EHLO (``Security.go_on``).  Refused: nothing is queued, not
    for any recipient.  DialogueLost.  UnsendableAddress for an address that no command may have.
    """
    commands = [(f"<{address}>", b"RCPT TO:<%b>" % _wire(address)) for address in envelope.recipients]
    sender = _wire(envelope.sender)
    _good("greeting", dialogue.hello(name))
    if secure is not None:
        secure(dialogue, name)
    _good(f"<{envelope.sender}>", dialogue.say(_mail(dialogue, envelope, sender, size)))
    notify = _notify(envelope.notify) if dialogue.features.dsn else b""
    for whom, command in commands:
        _good(whom, dialogue.say(command + notify))
    reply = dialogue.say(b"DATA")
    if reply.code != 354:
        raise Refused("DATA", reply)
    replies = dialogue.content(content, len(commands) if dialogue.lmtp else 1)
    for whom, reply in zip((whom for whom, _ in commands), replies, strict=False):
        if not dialogue.lmtp:
            _good("end of message", reply)
        elif not any(each.good for each in replies):
            raise Refused(whom, reply)
    dialogue.quit()
    return Receipt(replies)


def _wire(address: str) -> bytes:
    if _UNSENDABLE.search(address):
        raise UnsendableAddress(f"bad address: {address!r}")
    return to_external(address).encode("utf-8", "surrogateescape")


def _good(what: str, reply: ServerReply) -> None:
    if not reply.good:
        raise Refused(what, reply)


def _mail(dialogue: Dialogue, envelope: Envelope, sender: bytes, size: int) -> bytes:
    features = dialogue.features
    parts = [b"MAIL FROM:<%b>" % sender]
    if features.size and size:  # RFC 1870 6.1
        parts.append(b"SIZE=%d" % size)
    if features.eight_bit and envelope.eight_bit:  # RFC 6152 3
        parts.append(b"BODY=8BITMIME")
    wide = envelope.smtputf8 or not all(a.isascii() for a in (envelope.sender, *envelope.recipients))
    if features.smtputf8 and wide:  # RFC 6531 3.4
        parts.append(b"SMTPUTF8")
    if features.dsn and envelope.ret:
        parts.append(b"RET=" + envelope.ret.encode())
    if features.dsn and envelope.envid:
        parts.append(b"ENVID=" + xtext.encode(envelope.envid).encode())
    return b" ".join(parts)


def _notify(bits: int) -> bytes:
    names = b",".join(name for bit, name in _NOTIFY if bits & bit)
    return b" NOTIFY=" + names if names else b""
