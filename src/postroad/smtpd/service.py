"""An smtpd service: what its sessions share, and its end."""

from __future__ import annotations

import asyncio

from postroad.base.params import Settings
from postroad.base.tasks import spawn
from postroad.model import params as model
from postroad.model.reply import Reply
from postroad.smtpd import events
from postroad.smtpd import params as p
from postroad.smtpd.allowance import allowance_of
from postroad.smtpd.clientlists import ClientLists, Discards
from postroad.smtpd.commands import Commands
from postroad.smtpd.connection import Connection
from postroad.smtpd.footer import footers_of
from postroad.smtpd.given import Means, Neighbours
from postroad.smtpd.guests import Guests, Places
from postroad.smtpd.proxied import ProxiedConnection
from postroad.smtpd.settings import TlsLevel, options_of, security_of, timing_of
from postroad.smtpd.stress import Stress
from postroad.smtpd.tally import Tally

_UNLIMITED = Places()


class SmtpdService:
    """Makes the protocols of one service and knows its sessions.

    ``local`` serves sendmail(1) on a UNIX socket: the other end's credentials are its identity.  ``front``
    is the service whose new sessions this one has while all places are taken: places, sessions and the end
    of both are its own.  ValueError for settings that cannot be used.
    """

    def __init__(self, settings: Settings, means: Means, neighbours: Neighbours, places: Places = _UNLIMITED, *, name: str = "smtp", local: bool = False, front: SmtpdService | None = None) -> None:  # fmt: skip  # noqa: E501
        tables, log = means.tables, means.log.named(settings[model.SYSLOG_NAME])
        self.name = name
        self.local = local
        self.log = log
        self.now = means.clock.now
        self.wheel = means.wheel
        self.loop = means.loop
        # What is asked in each session stands here itself, not a step farther.
        self.policy = neighbours.policy
        self.stages = neighbours.stages
        self.intake = neighbours.intake
        self.identify = neighbours.identify
        self.has_space = neighbours.has_space
        self.etrn = neighbours.etrn
        self.tls = neighbours.tls
        self.authenticator = neighbours.authenticator
        self.filters = neighbours.filters
        self.local_filters = neighbours.local_filters
        self.note_refusal = neighbours.note_refusal
        self.options = options_of(settings, local=local, auth=self.authenticator is not None)
        self.security = security_of(settings)
        self.timing = timing_of(settings)
        self.tally = Tally(settings, means.counters, log, name, local=local)
        self.allowance = None if local else allowance_of(settings, tables, log, self.now)
        self.clients = ClientLists(settings, tables, log, local=local)
        self.commands = Commands(settings, tables, log)
        self.discards = Discards(settings, tables, log)
        self.footers = footers_of(settings, tables, log, means.clock)
        self.farewell = Reply(421, "4.3.2", f"{self.options.hostname} Service shutting down")
        self._connection = ProxiedConnection if settings[p.PROXY_PROTOCOL] and not local else Connection
        self.strained: SmtpdService | None = None
        self.guests: Guests = self._own_guests(places) if front is None else front.guests
        if front is not None:
            front.strained = self

    def _own_guests(self, places: Places) -> Guests:
        untold = self.security.level is not TlsLevel.PLAIN and not self.local
        if untold and (self.tls is None or not self.tls.ready):
            self.log.emit(events.TLS_WITHOUT_CERTIFICATE)
        stress = Stress(self.name, places.limit, self.log, self.loop.time)
        return Guests(places, self.loop, self.tally.sessions, stress)

    def protocol(self) -> asyncio.Protocol:
        """Return the protocol of a new connection."""
        strained = self.strained
        if strained is not None and self.guests.stress:
            return strained._connection(strained)  # noqa: SLF001 - the same service
        return self._connection(self)

    @property
    def sessions(self) -> int:
        """Return how many connections there are, those that wait for their turn included."""
        return len(self.guests)

    @property
    def waiting(self) -> int:
        """Return how many connections wait for their turn, in all processes."""
        return self.guests.waiting

    # -- the end

    def stop_accepting(self) -> None:
        """Turn new clients away, and end each session that is not inside a transaction."""
        self.guests.stop_accepting()

    async def drain(self, seconds: float) -> None:
        """Wait until the last session ended; after so many seconds those that are left are cut off."""
        await self.guests.drain(seconds)
        self.retire()

    def retire(self) -> None:
        """No client comes any more: the authenticator is closed with the last session."""
        self.guests.retire(self._close_authenticator)

    def _close_authenticator(self) -> None:
        authenticator, self.authenticator = self.authenticator, None
        if self.strained is not None:
            self.strained.authenticator = None
        if authenticator is not None:
            spawn(authenticator.close())
