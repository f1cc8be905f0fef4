"""An smtpd service: what its sessions share, and its end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from postroad.base.censor import Censor
from postroad.base.clock import Clock
from postroad.base.errors import TableUnavailable
from postroad.base.kinds import split_list
from postroad.base.log import Log
from postroad.base.params import Param, Settings
from postroad.base.tasks import spawn
from postroad.base.wheel import Wheel
from postroad.model import params as model
from postroad.model.client import Client
from postroad.model.explain import Refusal
from postroad.model.ports import Authenticator, Filters, Intake, LocalFilters, Policy
from postroad.model.reply import Reply
from postroad.net.tls.server import ServerTls
from postroad.proto.ehlo import discards
from postroad.smtpd import events
from postroad.smtpd import params as p
from postroad.smtpd.allowance import allowance_of
from postroad.smtpd.connection import Connection
from postroad.smtpd.footer import Footer, Footers
from postroad.smtpd.limits import Counts, Events, LocalCounts, LocalEvents, Seats, Taken
from postroad.smtpd.networks import Networks
from postroad.smtpd.proxied import ProxiedConnection
from postroad.smtpd.rates import Limits, RateCounts, Rates
from postroad.smtpd.settings import TlsLevel, options_of, security_of
from postroad.smtpd.stress import Stress
from postroad.tables.context import TableContext
from postroad.tables.maps import Maps
from postroad.tables.matchlist import AddressList, StringList, parents_of

Identify = Callable[[Client], Awaitable[None]]
Etrn = Callable[[str], Awaitable[Reply | None]]
#: What a policy may be asked on the way to a message; one that has no ``stages`` is asked at all of them.
_STAGES = frozenset({"connect", "helo", "mail", "recipient", "data", "end_of_data"})


def _anything_fits(size: int) -> bool:
    """The answer of a service that was not told whom to ask for room."""
    del size
    return True


class SmtpdService:
    """Makes the protocols of one service and knows its sessions.

    ``policy`` None lets everything pass, and ``local`` serves sendmail(1) on a UNIX socket: the
    other end's credentials are its identity.  A policy's ``stages``, if it has them, are those of its
    methods that can have anything to say: at the others it is not asked.  ``identify`` fills in a
    client's name.  ``has_space`` says whether there is room for a message of so many bytes.  ``limit``
    is the most sessions at one time (0: any number), ``taken`` counts those of other processes too; further
    clients wait, ``queued`` counts them in all processes, and ``on_full`` hears of that.  ``tls`` has the
    certificates, ``authenticator`` knows users; ``new_tls``, ``auths`` and ``rates`` count what has a limit
    by time.  ``note_refusal`` keeps why clients were refused.  ``front`` is the service whose new sessions
    this one has while all places are taken: places, sessions and the end of both are its own.  ValueError
    for settings that cannot be used.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        intake: Intake,
        log: Log,
        clock: Clock,
        wheel: Wheel,
        loop: asyncio.AbstractEventLoop,
        tables: TableContext,
        policy: Policy | None = None,
        name: str = "smtp",
        identify: Identify | None = None,
        counts: Counts | None = None,
        has_space: Callable[[int], bool] = _anything_fits,
        etrn: Etrn | None = None,
        limit: int = 0,
        taken: Taken | None = None,
        queued: Taken | None = None,
        tls: ServerTls | None = None,
        authenticator: Authenticator | None = None,
        filters: Filters | None = None,
        local_filters: LocalFilters | None = None,
        new_tls: Events | None = None,
        auths: Events | None = None,
        rates: RateCounts | None = None,
        on_full: Callable[[bool], None] | None = None,
        note_refusal: Callable[[Refusal], None] | None = None,
        local: bool = False,
        front: SmtpdService | None = None,
    ) -> None:
        self.name = name
        self.local = local
        self.policy = policy
        self.note_refusal = note_refusal
        self.now = clock.now
        self.stages: frozenset[str] = (
            getattr(policy, "stages", _STAGES) if policy is not None else frozenset()
        )
        self.intake = intake
        self.log = log.named(settings[model.SYSLOG_NAME])
        self.wheel = wheel
        self.loop = loop
        self.identify = identify
        self.counts: Counts = counts if counts is not None else LocalCounts()
        self.has_space = has_space
        self.etrn = etrn
        self.options = options_of(settings, local=local, auth=authenticator is not None)
        self.tls = tls
        self.authenticator = authenticator
        self.filters = filters
        self.local_filters = local_filters
        self.security = security_of(settings)
        self.new_tls: Events = new_tls if new_tls is not None else LocalEvents()
        self.auths: Events = auths if auths is not None else LocalEvents()
        untold = self.security.level is not TlsLevel.PLAIN and not local and front is None
        if untold and (tls is None or not tls.ready):
            self.log.emit(events.TLS_WITHOUT_CERTIFICATE)
        self.timeout = float(settings[p.TIMEOUT])
        self.whole_requests = settings[p.PER_REQUEST_DEADLINE]
        self.data_rate = settings[p.MIN_DATA_RATE]
        self.connection_limit = 0 if local else settings[p.CONNECTION_COUNT]
        self._networks = Networks(settings[p.IPV4_PREFIX], settings[p.IPV6_PREFIX])
        limits = Limits(settings[p.CONNECTION_RATE], settings[p.MESSAGE_RATE], settings[p.RECIPIENT_RATE])
        self.rates: Rates | None = None
        if not (local or limits.none):
            counted, me = rates or RateCounts(), self.options.hostname
            self.rates = Rates(limits, counted, self.log, name, me, self.key_of)
        self.allowance = None if local else allowance_of(settings, tables, self.log, clock.now)
        self.proxy_timeout = float(settings[p.PROXY_TIMEOUT])
        self._connection = ProxiedConnection if settings[p.PROXY_PROTOCOL] and not local else Connection
        self.farewell = Reply(421, "4.3.2", f"{self.options.hostname} Service shutting down")

        def listed(param: Param[tuple[str, ...]]) -> tuple[str, ...]:
            return settings[param]

        hostname = self.options.hostname
        censor = Censor(settings[model.EXPANSION_FILTER])
        self.footer = Footers(
            p.REJECT_FOOTER_MAPS.name,
            Maps(listed(p.REJECT_FOOTER_MAPS), tables),
            settings[p.REJECT_FOOTER],
            lambda template: Footer(template, hostname, clock, censor, self._warn),
            self._warn,
        )
        self._filter = Maps(split_list(settings[p.COMMAND_FILTER]), tables)
        if not self._filter.now:
            raise ValueError(f"{p.COMMAND_FILTER.name}: only a table that answers from memory can be used")

        self._discards = discards(listed(p.DISCARD_EHLO))
        self._discard_maps = Maps(listed(p.DISCARD_EHLO_MAPS), tables)
        self._noop = StringList(listed(p.NOOP_COMMANDS), tables)
        self._forbidden = StringList(listed(p.FORBIDDEN_COMMANDS), tables)
        parents = parents_of(settings, model.MYNETWORKS.name)
        self._uncounted = AddressList(listed(p.LIMIT_EXCEPTIONS), tables, parents=parents)
        self._auth_hidden = AddressList(listed(p.AUTH_HIDDEN_FROM), tables, parents=parents)
        self._bare_exclusions = AddressList(listed(p.BARE_NEWLINE_EXCLUSIONS), tables, parents=parents)
        self._xclient = AddressList(listed(p.XCLIENT_HOSTS), tables, parents=parents)
        self._xforward = AddressList(listed(p.XFORWARD_HOSTS), tables, parents=parents)
        #: There may be clients that speak for others.
        self.has_proxies = bool(listed(p.XCLIENT_HOSTS) or listed(p.XFORWARD_HOSTS)) and not local
        self._stress = Stress(name, limit, self.log, loop.time)
        self.strained: SmtpdService | None = None
        self._front = self if front is None else front
        if front is not None:
            front.strained = self
        self._seats = Seats(limit, on_full or _nobody_minds, loop, taken, self._stress.reached, queued)
        self._sessions: set[Connection] = set()
        self._empty: asyncio.Future[None] | None = None
        self._stopping = False
        self._retired = False

    def protocol(self) -> asyncio.Protocol:
        """Return the protocol of a new connection."""
        strained = self.strained
        if strained is not None and self._stress:
            return strained._connection(strained)  # noqa: SLF001 - the same service
        return self._connection(self)

    # -- for the sessions

    def enter(self, connection: Connection) -> bool:
        """Note a connection; False when it has to wait for its turn."""
        if self._front is not self:
            return self._front.enter(connection)
        self._sessions.add(connection)
        if self._stopping:
            self.loop.call_soon(connection.cut)
            return False
        return self._seats.enter(connection)

    def leave(self, connection: Connection, counted: str) -> None:
        """Forget a connection."""
        if self._front is not self:
            self._front.leave(connection, counted)
            return
        if connection in self._sessions:
            self._sessions.discard(connection)
            self._seats.leave(connection)
            if counted:
                self.counts.leave(counted)
        if not self._sessions:
            if self._empty is not None and not self._empty.done():
                self._empty.set_result(None)
            if self._retired:
                self._close_authenticator()

    async def is_uncounted(self, client: Client) -> bool:
        """Whether smtpd_client_event_limit_exceptions has the client."""
        return await self._has(self._uncounted, p.LIMIT_EXCEPTIONS, client)

    async def bare_newline_allowed(self, client: Client) -> bool:
        """Whether smtpd_forbid_bare_newline_exclusions has the client."""
        return await self._has(self._bare_exclusions, p.BARE_NEWLINE_EXCLUSIONS, client)

    async def auth_hidden_from(self, client: Client) -> bool:
        """Whether smtpd_sasl_exceptions_networks has the client."""
        return await self._has(self._auth_hidden, p.AUTH_HIDDEN_FROM, client)

    async def may_xclient(self, client: Client) -> bool:
        """Whether smtpd_authorized_xclient_hosts has the client."""
        return await self._xclient.matches(client.address, client.name)

    async def may_xforward(self, client: Client) -> bool:
        """Whether smtpd_authorized_xforward_hosts has the client."""
        return await self._xforward.matches(client.address, client.name)

    async def _has(self, members: AddressList, param: Param[tuple[str, ...]], client: Client) -> bool:
        """Ask a list of exceptions.  While it cannot be asked there is none, and all may come."""
        try:
            return await members.matches(client.address, client.name)
        except TableUnavailable as error:
            self.log.warning("smtpd", f"{param.name}: {error}")
            return False

    def key_of(self, client: Client) -> str:
        """Return under what the service counts what a client does."""
        return f"{self.name} {self._networks.of(client.address)}"

    def network_of(self, client: Client) -> str:
        """Return what the sessions of a client are counted under."""
        return self._networks.of(client.address)

    async def discards_of(self, client: Client) -> frozenset[str]:
        """Return the EHLO keywords that this client is not told; TableUnavailable when it is not known."""
        if not self._discard_maps:
            return self._discards
        words = await self._discard_maps.find(client.address)
        if words is None:
            return self._discards
        try:
            return discards(words.replace(",", " ").split())
        except ValueError as error:
            self.log.warning("smtpd", f"{p.DISCARD_EHLO_MAPS.name}: {client.address}: {error}")
            return self._discards

    def rewritten(self, command: str) -> str | None:
        """Return what smtpd_command_filter has in place of a command; None: as it is.  TableUnavailable."""
        return self._filter.find_now(command)

    def _warn(self, text: str) -> None:
        self.log.warning("smtpd", text)

    def is_noop(self, word: str) -> bool:
        """Whether smtpd_noop_commands has the word."""
        return self._listed(self._noop, word)

    def is_forbidden(self, word: str) -> bool:
        """Whether smtpd_forbidden_commands has the word."""
        return self._listed(self._forbidden, word)

    def _listed(self, members: StringList, word: str) -> bool:
        """Ask a list of words.  A table that has to be waited for, or fails, is passed over."""
        try:
            return members.now and members.matches_now(word)
        except Exception as error:  # noqa: BLE001 - not worth a session, as in Postfix
            self.log.warning("smtpd", f"list of commands: {error}")
            return False

    # -- the end

    @property
    def sessions(self) -> int:
        """Return how many connections there are, those that wait for their turn included."""
        return len(self._sessions)

    @property
    def waiting(self) -> int:
        """Return how many connections wait for their turn, in all processes."""
        return self._seats.waiting

    def stop_accepting(self) -> None:
        """Turn new clients away, and end each session that is not inside a transaction."""
        self._stopping = True
        for connection in tuple(self._sessions):
            connection.drain()

    async def drain(self, seconds: float) -> None:
        """Wait until the last session ended; after so many seconds those that are left are cut off."""
        self.stop_accepting()
        if self._sessions:
            self._empty = self.loop.create_future()
            await asyncio.wait([self._empty], timeout=seconds)
        for connection in tuple(self._sessions):
            connection.cut()
        self.retire()

    def retire(self) -> None:
        """No client comes any more: the authenticator is closed with the last session."""
        self._retired = True
        if not self._sessions:
            self._close_authenticator()

    def _close_authenticator(self) -> None:
        authenticator, self.authenticator = self.authenticator, None
        if self.strained is not None:
            self.strained.authenticator = None
        if authenticator is not None:
            spawn(authenticator.close())


def _nobody_minds(full: bool) -> None:
    """Hear that somebody waits, and do nothing about it."""
    del full
