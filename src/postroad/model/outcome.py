"""What became of one recipient in one attempt, and who said so."""

from __future__ import annotations

from enum import Enum


class Fate(Enum):
    """The first digit of an enhanced status code."""

    DELIVERED = "2"
    DEFERRED = "4"
    BOUNCED = "5"


class Outcome:
    """What became of one recipient.

    ``status`` is an enhanced status code (RFC 3463); its first digit is the fate, so the two cannot
    disagree.  ``text`` is the log line's text in parentheses.  ``relay`` is ``HOST[IP]:25``,
    ``local``, ``virtual``, ``none`` ...  ``remote`` is the host whose words ``reply`` are, empty
    when we speak ourselves.  ``action`` is for success notices: delivered, relayed or expanded
    (RFC 3464 2.3.3); ``notified`` says that the next hop took over the duty to notify (it speaks
    DSN).  ``setup`` and ``transfer`` are seconds, for ``delays=``.
    """

    __slots__ = (
        "action",
        "notified",
        "relay",
        "remote",
        "reply",
        "reused",
        "setup",
        "status",
        "text",
        "transfer",
    )

    def __init__(self, status: str, text: str, relay: str = "none", *, remote: str = "", reply: str = "", action: str = "delivered") -> None:  # fmt: skip  # noqa: E501
        self.status = status
        self.text = text
        self.relay = relay
        self.remote = remote
        self.reply = reply
        self.action = action
        self.notified = False
        self.setup = 0.0
        self.transfer = 0.0
        self.reused = 0  # conn_use: how many messages this connection has carried, 0 = not said

    @property
    def fate(self) -> Fate:
        """Return what the status says became of the recipient."""
        return Fate(self.status[0])

    def __repr__(self) -> str:
        return f"Outcome({self.status!r}, {self.text!r}, {self.relay!r})"
