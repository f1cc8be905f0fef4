"""New messages out of old ones: the same content for other recipients, with the trace of how it went."""

from __future__ import annotations

from collections.abc import Iterator

from postroad.mail import header
from postroad.mail.address import fold, to_internal
from postroad.model.message import NEVER, SUCCESS, Content, Message, Recipient, Text

#: How much of a content is looked at for its header.
_HEADER = 131072


class Prefixed:
    """A content behind some more header fields."""

    __slots__ = ("_content", "_head", "data", "size")

    def __init__(self, head: bytes, content: Content) -> None:
        self._head = head
        self._content = content
        self.size = len(head) + content.size
        self.data = None

    def pieces(self, size: int = 262144) -> Iterator[bytes]:
        """Yield the text in pieces."""
        yield self._head
        yield from self._content.pieces(size)


def with_head(head: bytes, content: Content) -> Content:
    """Return the content with fields in front of it."""
    return Prefixed(head, content) if content.data is None else Text(head + content.data)


class Trace:
    """What a header says of the way so far: how many hosts, and which local recipients."""

    __slots__ = ("delivered_to", "hops")

    def __init__(self, content: Content) -> None:
        self.hops = 0
        self.delivered_to: set[str] = set()
        start = content.data
        if start is None:
            start = next(iter(content.pieces(_HEADER)), b"")
        for field in header.fields(start[: header.block_end(start)]):
            if field.name == b"received":
                self.hops += 1
            elif field.name == b"delivered-to":
                text = header.unfold(field.body).decode("utf-8", "surrogateescape")
                self.delivered_to.add(fold(to_internal(text)))


def forwarded(message: Message, key: int, sender: str, recipients: list[Recipient], content: Content, now: float, *, keep_envelope: bool) -> Message:  # fmt: skip  # noqa: E501
    """Return the message that takes another's content on.

    ``keep_envelope``: the sender is the old one, so ENVID and RET stay (RFC 3461 5.2.7.1); a list
    that speaks for itself has none of them (5.2.7.3).
    """
    made = Message(key, sender, recipients, now, content)
    made.attributes = dict(message.attributes)
    made.attributes.pop("content_filter", None)  # Postfix filters no mail that is made here
    made.eight_bit = message.eight_bit
    made.smtputf8 = message.smtputf8
    if keep_envelope:
        made.ret = message.ret
        made.envid = message.envid
    return made


def heir(old: Recipient, address: str, *, keep_envelope: bool) -> Recipient:
    """Return a recipient that an alias stands for."""
    # RFC 3461 5.2.7.1: success was reported where the alias was expanded, so it is not asked for again.
    notify = old.notify & ~SUCCESS
    if old.notify == SUCCESS:
        notify = NEVER
    if keep_envelope:
        return Recipient(address, old.original, notify, old.orcpt)
    return Recipient(address, "", notify)
