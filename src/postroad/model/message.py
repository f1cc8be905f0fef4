"""A queued message and its recipients."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

#: Recipient.notify: the bits of RFC 3461's NOTIFY; 0 means that nothing was asked for.
NEVER, SUCCESS, FAILURE, DELAY = 1, 2, 4, 8


class Content(Protocol):
    """The text of a message as it will be sent: header, empty line, body, lines ended by CRLF.

    ``data`` is the whole text when it is in memory, None when it is a file (over
    queue_inline_limit) or was not loaded.  No dot-stuffing; the text ends with CRLF.
    """

    size: int

    @property
    def data(self) -> bytes | None:
        """Return the whole text if it is in memory."""
        ...

    def pieces(self, size: int = 262144) -> Iterator[bytes]:
        """Yield the text in pieces of at most ``size`` bytes.  StoreUnavailable when it cannot be read."""
        ...


class Text:
    """A content that is in memory.

    ``plain`` is known of it, not promised: all its line ends are CRLF and no line begins with a dot,
    so that SMTP carries it as it stands.
    """

    __slots__ = ("data", "plain", "size")

    def __init__(self, data: bytes, *, plain: bool = False) -> None:
        self.data = data
        self.size = len(data)
        self.plain = plain

    def pieces(self, size: int = 262144) -> Iterator[bytes]:
        """Yield the text in pieces."""
        if self.size <= size:
            yield self.data
            return
        view = memoryview(self.data)
        for at in range(0, self.size, size):
            yield bytes(view[at : at + size])


class Recipient:
    """One recipient of a message.

    ``address`` is where it goes (after aliases), ``original`` what the client said; ``orcpt`` is
    RFC 3461's ORCPT (``rfc822;...``, xtext decoded).  ``reason`` and ``status`` are the last
    deferral's.  ``done`` is True once it needs no more delivery.
    """

    __slots__ = ("address", "done", "notify", "orcpt", "original", "reason", "remote", "status", "warned")

    def __init__(self, address: str, original: str = "", notify: int = 0, orcpt: str = "") -> None:
        self.address = address
        self.original = original or address
        self.notify = notify
        self.orcpt = orcpt
        self.reason = ""
        self.status = ""
        self.remote = ""  # the host that gave the reason, "" when we did
        self.done = False
        self.warned = False

    def __repr__(self) -> str:
        return f"Recipient({self.address!r})"


class Message:
    """A message in the queue.  ``key`` is its queue id as a number (``base.ids``).

    ``arrival`` is the wall-clock time of acceptance.  ``attributes`` are few and small: log client
    name and address, sasl_username ... under Postfix's named_attribute names.
    """

    __slots__ = (
        "arrival",
        "attempts",
        "attributes",
        "content",
        "due",
        "eight_bit",
        "envid",
        "held",
        "id",
        "key",
        "owner",
        "recipients",
        "ret",
        "sender",
        "size",
        "smtputf8",
        "warned",
    )

    def __init__(self, key: int, sender: str, recipients: list[Recipient], arrival: float, content: Content | None = None) -> None:  # fmt: skip  # noqa: E501
        self.key = key
        self.id = f"{key:015X}"  # the queue id; every line of the log has it
        self.sender = sender
        self.recipients = recipients
        self.arrival = arrival
        self.content = content
        self.size = content.size if content is not None else 0
        self.attributes: dict[str, str] = {}
        self.eight_bit = False
        self.smtputf8 = False
        self.ret = ""
        self.envid = ""
        self.due = arrival  # when it is next looked at
        self.attempts = 0  # deliveries begun
        self.held = False
        self.warned = False  # the delay notice was sent
        self.owner = ""  # who has the lease

    def is_done(self) -> bool:
        """Return whether no recipient needs delivery any more."""
        for recipient in self.recipients:  # noqa: SIM110 - all() would make a generator for each message
            if not recipient.done:
                return False
        return True

    def open_recipients(self) -> list[Recipient]:
        """Return the recipients that still need delivery."""
        return [r for r in self.recipients if not r.done]
