"""How much a client may do in a time: sessions, messages, recipients (anvil(8))."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from postroad.base.log import Event, Log
from postroad.model.client import Client
from postroad.model.reply import Reply
from postroad.smtpd.limits import Events, LocalEvents

_PROGRAM = "smtpd"
TOO_MANY_CONNECTIONS = Event(
    _PROGRAM,
    "warning: Connection rate limit exceeded: %s from %s for service %s",
    "A client begins more sessions than smtpd_client_connection_rate_limit.",
    urgent=True,
)
TOO_MANY_MESSAGES = Event(
    _PROGRAM,
    "warning: Message delivery request rate limit exceeded: %s from %s for service %s",
    "A client sends more messages than smtpd_client_message_rate_limit.",
    urgent=True,
)
TOO_MANY_RECIPIENTS = Event(
    _PROGRAM,
    "warning: Recipient address rate limit exceeded: %s from %s for service %s",
    "A client names more recipients than smtpd_client_recipient_rate_limit.",
    urgent=True,
)


@dataclass(frozen=True, slots=True)
class Limits:
    """The most in anvil_rate_time_unit; 0 for no limit."""

    connections: int = 0
    messages: int = 0
    recipients: int = 0

    @property
    def none(self) -> bool:
        """Whether nothing has a limit."""
        return not (self.connections or self.messages or self.recipients)


class RateCounts:
    """What is counted: for all workers, or for this process alone."""

    __slots__ = ("connections", "messages", "recipients")

    def __init__(self, connections: Events | None = None, messages: Events | None = None, recipients: Events | None = None) -> None:  # fmt: skip  # noqa: E501
        self.connections: Events = connections or LocalEvents()
        self.messages: Events = messages or LocalEvents()
        self.recipients: Events = recipients or LocalEvents()


class Rates:
    """The limits of one service.  Each question counts one more, also when the answer is no."""

    __slots__ = ("_counts", "_hostname", "_key_of", "_limits", "_log", "_name")

    def __init__(self, limits: Limits, counts: RateCounts, log: Log, name: str, hostname: str, key_of: Callable[[Client], str]) -> None:  # fmt: skip  # noqa: E501
        self._limits = limits
        self._counts = counts
        self._log = log
        self._name = name
        self._hostname = hostname
        self._key_of = key_of

    def connection(self, client: Client) -> Reply | None:
        """Count a session; return the refusal when there are too many."""
        event, limit = TOO_MANY_CONNECTIONS, self._limits.connections
        if not self._over(self._counts.connections, limit, client, event):
            return None
        return Reply(421, "4.7.0", f"{self._hostname} Error: too many connections from {client.address}")

    def message(self, client: Client) -> Reply | None:
        """Count a MAIL command; return the refusal when there are too many."""
        if not self._over(self._counts.messages, self._limits.messages, client, TOO_MANY_MESSAGES):
            return None
        return Reply(450, "4.7.1", f"Error: too much mail from {client.address}")

    def recipient(self, client: Client) -> Reply | None:
        """Count a RCPT command; return the refusal when there are too many."""
        if not self._over(self._counts.recipients, self._limits.recipients, client, TOO_MANY_RECIPIENTS):
            return None
        return Reply(450, "4.7.1", f"Error: too many recipients from {client.address}")

    def _over(self, counts: Events, limit: int, client: Client, event: Event) -> bool:
        if not limit:
            return False
        number = counts.add(self._key_of(client))
        if number <= limit:
            return False
        self._log.emit(event, number, client.named_address, self._name)
        return True
