"""What a service counts of its clients: their sessions, and what has a limit by time."""

from __future__ import annotations

from dataclasses import dataclass, field

from postroad.base.log import Log
from postroad.base.params import Settings
from postroad.model import params as model
from postroad.model.client import Client
from postroad.smtpd import params as p
from postroad.smtpd.limits import Counts, Events, LocalCounts, LocalEvents
from postroad.smtpd.networks import Networks
from postroad.smtpd.rates import Limits, RateCounts, Rates


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """Where it is counted: for all workers, or for this process alone."""

    sessions: Counts = field(default_factory=LocalCounts)
    new_tls: Events = field(default_factory=LocalEvents)
    auths: Events = field(default_factory=LocalEvents)
    rates: RateCounts = field(default_factory=RateCounts)


class Tally:
    """The counts of one service, and its limits of sessions.  Local users (``local``) have none.

    ``connection_limit`` is the most sessions of one client, 0 for any number; ``rates`` is None where
    nothing else has a limit by time.
    """

    __slots__ = ("_name", "auths", "connection_limit", "networks", "new_tls", "rates", "sessions")

    def __init__(self, settings: Settings, counters: Counters, log: Log, name: str, *, local: bool) -> None:
        self._name = name
        self.sessions = counters.sessions
        self.new_tls = counters.new_tls
        self.auths = counters.auths
        self.networks = Networks(settings[p.IPV4_PREFIX], settings[p.IPV6_PREFIX])
        self.connection_limit = 0 if local else settings[p.CONNECTION_COUNT]
        limits = Limits(settings[p.CONNECTION_RATE], settings[p.MESSAGE_RATE], settings[p.RECIPIENT_RATE])
        self.rates: Rates | None = None
        if not (local or limits.none):
            hostname = settings[model.MYHOSTNAME]
            self.rates = Rates(limits, counters.rates, log, name, hostname, self.key_of)

    def key_of(self, client: Client) -> str:
        """Return under what the service counts what a client does."""
        return f"{self._name} {self.networks.of(client.address)}"
