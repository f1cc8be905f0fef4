"""A postscreen service: what its clients share (postscreen(8))."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

from postroad.base import tasks
from postroad.base.clock import Clock
from postroad.base.errors import StoreUnavailable, TableUnavailable
from postroad.base.kinds import split_list
from postroad.base.log import Log
from postroad.base.params import Param, Settings
from postroad.base.wheel import Wheel
from postroad.listener import params as p
from postroad.listener import screen_events as events
from postroad.listener.access_list import AccessLists
from postroad.listener.blocklists import Blocklists
from postroad.listener.screening import Screening
from postroad.listener.security import tls_level
from postroad.listener.strain import Strain
from postroad.listener.waits import Waits
from postroad.model import params as model
from postroad.model.reply import Reply
from postroad.net.resolver import CachingResolver
from postroad.net.tls.server import ServerTls
from postroad.proto.dnsbl import site_of
from postroad.proto.ehlo import discards
from postroad.proto.postscreen import DialogueOptions
from postroad.proto.screening import ORDER, Action, Record, Terms, Test
from postroad.store.screen_cache import Cleaning, ScreenCache, open_screen_cache
from postroad.tables.context import TableContext
from postroad.tables.maps import Maps
from postroad.tables.matchlist import AddressList, StringList

#: The parameter with how long each test counts, in the order of a Record; None: the lists say it.
_LIVES: Final = (p.GREET_TTL, p.DNSBL_MAX_TTL, p.PIPELINING_TTL, p.NON_SMTP_TTL, p.BARE_NEWLINE_TTL)
_LATE: Final = {
    Test.PIPELINING: (p.PIPELINING_ENABLE, p.PIPELINING_ACTION),
    Test.NON_SMTP: (p.NON_SMTP_ENABLE, p.NON_SMTP_ACTION),
    Test.BARE_NEWLINE: (p.BARE_NEWLINE_ENABLE, p.BARE_NEWLINE_ACTION),
}


class Target(Protocol):
    """The smtpd service that clients go to."""

    @property
    def waiting(self) -> int:
        """Return how many clients wait for a session."""
        ...

    def protocol(self) -> asyncio.Protocol:
        """Return the protocol of a connection."""
        ...


class Counts(Protocol):
    """How many connections each client has, over all workers."""

    def enter(self, address: str) -> int:
        """Count one more; return how many there are."""
        ...

    def leave(self, address: str) -> None:
        """Count one less."""
        ...


class Taken(Protocol):
    """How many clients are under test, over all workers."""

    def change(self, by: int) -> None:
        """Count clients that come or go."""
        ...

    def elsewhere(self) -> int:
        """Return how many other workers have."""
        ...


class Times:
    """For how long clients are tested, in seconds."""

    __slots__ = ("command_time", "greet_wait")

    def __init__(self, settings: Settings) -> None:
        self.greet_wait = float(settings[p.GREET_WAIT])
        self.command_time = float(settings[p.COMMAND_TIME])


class Postscreen:
    """Makes the protocols of one service and knows its clients.

    ``target`` gets those who pass.  ``strained`` are the settings of stress=yes.  ``taken`` counts clients
    of other processes too.  ``footer`` puts the operator's text behind a refusal to the client at an address
    and port.  ValueError for settings that cannot be used.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        target: Target,
        log: Log,
        clock: Clock,
        wheel: Wheel,
        loop: asyncio.AbstractEventLoop,
        tables: TableContext,
        strained: Settings | None = None,
        resolver: CachingResolver,
        counts: Counts,
        taken: Taken | None = None,
        tls: ServerTls | None = None,
        tls_loglevel: int = 0,
        footer: Callable[[Reply, str, int], Reply] | None = None,
    ) -> None:
        def listed(param: Param[tuple[str, ...]]) -> tuple[str, ...]:
            return settings[param]

        self.target = target
        self.target_name = settings[p.SMTPD_SERVICE]
        self.log = log.named(settings[model.SYSLOG_NAME])
        self.wheel = wheel
        self.loop = loop
        self.tls = tls if tls is not None and tls.ready else None
        self.tls_loglevel = tls_loglevel
        self.stopping = False
        self._clock = clock
        self._counts = counts
        self._taken = taken
        self._tested = 0
        self._footer = footer
        self._soft = settings[model.SOFT_BOUNCE]
        self._retired: Callable[[], None] | None = None
        self._screenings: set[Screening] = set()
        self._waits = Waits(loop)  # for the greeting
        self._strain = Strain(settings[p.PRE_QUEUE_LIMIT], self.log)
        self.access = AccessLists(settings, tables, self.log)
        self._interfaces = AddressList(listed(p.ALLOWLIST_INTERFACES), tables)
        self.command_filter = Maps(split_list(settings[p.COMMAND_FILTER]), tables)
        if not self.command_filter.now:
            raise ValueError(f"{p.COMMAND_FILTER.name}: only a table that answers from memory can be used")
        self._forbidden = StringList(listed(p.FORBIDDEN_COMMANDS), tables)
        self._hidden = discards(listed(p.DISCARD_EHLO))
        self._hidden_maps = Maps(listed(p.DISCARD_EHLO_MAPS), tables)
        reply_map = settings[p.DNSBL_REPLY_MAP]
        self._reply_names = Maps((reply_map,) if reply_map else (), tables)
        self.blocklists = Blocklists(
            [site_of(text) for text in settings[p.DNSBL_SITES]],
            resolver,
            self.log,
            timeout=float(settings[p.DNSBL_TIMEOUT]),
            shortest=settings[p.DNSBL_MIN_TTL],
            longest=settings[p.DNSBL_MAX_TTL],
        )
        self.calm = Times(settings)
        self.strained = Times(strained) if strained is not None else self.calm
        self._configure(settings)
        self._remember(settings)

    def _configure(self, settings: Settings) -> None:
        hostname = settings[model.MYHOSTNAME]
        self.words = ("ALLOW", "DENY") if settings[p.RESPECTFUL_LOGGING] else ("WHITE", "BLACK")
        self.digits = settings[model.DELAY_LOGGING_RESOLUTION_LIMIT]
        self.deny_action = _action(settings, p.DENYLIST_ACTION)
        self.greet_action = _action(settings, p.GREET_ACTION)
        self.dnsbl_action = _action(settings, p.DNSBL_ACTION)
        self.threshold = settings[p.DNSBL_THRESHOLD]
        self._allow_threshold = settings[p.DNSBL_ALLOW_THRESHOLD]
        self.proxy_timeout = float(settings[p.PROXY_TIMEOUT]) if settings[p.PROXY_PROTOCOL] else 0.0
        self._connection_limit = settings[p.CONNECTION_COUNT]
        self._pre_limit = max(settings[p.PRE_QUEUE_LIMIT], 2)  # busy() lets one less in
        self._post_limit = settings[p.POST_QUEUE_LIMIT]
        banner = settings[p.GREET_BANNER]
        self.teaser = f"220-{banner}\r\n".encode()
        self.greeting = f"220 {settings.texts['smtpd_banner']}\r\n".encode()
        enabled = Test.PREGREET if banner else Test.NONE
        enabled |= Test.DNSBL if self.blocklists else Test.NONE
        for test, (used, _) in _LATE.items():
            enabled |= test if settings[used] else Test.NONE
        one, two, three, four, five = (settings[each] for each in _LIVES)
        self.terms = Terms(enabled, (one, two, three, four, five))
        level = tls_level(settings)
        self.options = DialogueOptions(
            hostname=hostname,
            size_limit=settings[model.MESSAGE_SIZE_LIMIT],
            line_limit=settings[model.LINE_LENGTH_LIMIT],
            command_limit=settings[p.COMMAND_COUNT],
            smtputf8=settings[model.SMTPUTF8_ENABLE],
            vrfy=not settings[p.DISABLE_VRFY],
            helo_required=settings[p.HELO_REQUIRED],
            starttls=level != "none" and self.tls is not None,
            tls_required=level == "encrypt",
            actions={test: _action(settings, action) for test, (_, action) in _LATE.items()},
            is_forbidden=self._is_forbidden,
            filtered=bool(self.command_filter),
        )

    def _remember(self, settings: Settings) -> None:
        name = settings[p.CACHE_MAP]
        path = name.removeprefix("proxy:").partition(":")[2] or name
        # Postfix's own file may be there already, in a format that is not ours.
        self._cache: ScreenCache | None = open_screen_cache(Path(f"{path}.sqlite")) if path else None
        self._cache_name = name
        used = [bool(test & self.terms.enabled) for test in ORDER]
        self._cleaning = Cleaning(settings[p.CACHE_CLEANUP], settings[p.CACHE_RETENTION], used)

    def protocol(self) -> asyncio.Protocol:
        """Return the protocol of a new connection."""
        return Screening(self)

    # -- for the clients

    def now(self) -> int:
        """Return the time in whole seconds since the epoch."""
        return int(self._clock.now())

    def until(self, test: Test) -> int:
        """Return until when a test counts that is passed now; NONE: one that is failed and forgiven."""
        life = self.terms.lives[ORDER.index(test)] if test else self.terms.shortest
        return self.now() + life

    def enter(self, screening: Screening) -> None:
        """Note a connection."""
        self._screenings.add(screening)
        self.wheel.join(screening)

    def leave(self, screening: Screening) -> None:
        """Forget a connection; nothing happens the second time."""
        if screening not in self._screenings:
            return
        self._screenings.discard(screening)
        self.wheel.leave(screening)
        if screening.tested:
            self._count_tests(-1)
        if screening.counted:
            self._counts.leave(_key(screening.address))
        if self._retired is not None and not self._screenings:
            then, self._retired = self._retired, None
            then()

    def wait(self, screening: Screening) -> None:
        """Call the client's ``waited`` when the time before the greeting is over."""
        self._waits.add(self._times.greet_wait, screening.waited)

    @property
    def command_time(self) -> float:
        """Return how many seconds a client has for a command that it begins now."""
        return self._times.command_time

    @property
    def _times(self) -> Times:
        return self.strained if self._strain else self.calm

    def crowded(self, screening: Screening) -> Reply | None:
        """Count a client whose address is known now; return the refusal when there are too many."""
        if self._connection_limit:
            number = self._counts.enter(_key(screening.address))
            screening.counted = True
            if number > self._connection_limit:
                return self._refused(screening, Reply(421, "4.7.0", "Error: too many connections"))
        if self.target.waiting >= self._post_limit:
            return self._refused(screening, Reply(421, "4.3.2", "All server ports are busy"))
        return None

    def busy(self, screening: Screening) -> Reply | None:
        """Count a client that has to be tested; return the refusal when too many are."""
        others = self._taken.elsewhere() if self._taken is not None else 0
        if self._tested + others + 1 >= self._pre_limit:  # one less than the limit, as in Postfix
            self.log.emit(events.BUSY, screening.address, screening.port)
            return Reply(421, "4.3.2", "All screening ports are busy")
        screening.tested = True
        self._count_tests(1)
        return None

    def _count_tests(self, by: int) -> None:
        self._tested += by
        others = 0
        if self._taken is not None:
            self._taken.change(by)
            others = self._taken.elsewhere()
        self._strain.measure(self._tested + others)

    def _refused(self, screening: Screening, reply: Reply) -> Reply:
        why = reply.text.removeprefix("Error: ").replace(" are busy", " busy")
        why = why[0].lower() + why[1:]
        self.log.emit(events.REFUSED, screening.address, screening.port, why)
        return reply

    async def known(self, address: str) -> Record | None:
        """Return what is kept of a client.  What cannot be looked up is not known: it is tested again."""
        if self._cache is None:
            return None
        try:
            found, cleaned = await self._cache.find(address, self._cleaning, self.now())
        except StoreUnavailable as error:
            self.log.warning("postscreen", f"{p.CACHE_MAP.name}: {error}")
            return None
        if cleaned is not None:
            self.log.emit(events.CACHE, self._cache_name, cleaned.retained, cleaned.dropped)
        return found

    def note(self, address: str, record: Record) -> None:
        """Keep what a client has passed."""
        if self._cache is not None:
            tasks.start(self._cache.note(address, record, self.now()), self._noted)

    def _noted(self, _none: None, error: BaseException | None) -> None:
        if error is not None:
            self.log.warning("postscreen", f"{p.CACHE_MAP.name}: {error}")

    async def may_pass_at(self, own_address: str) -> bool:
        """Whether a client can pass that calls this address of ours; not, while that is not known."""
        try:
            return await self._interfaces.matches(own_address)
        except TableUnavailable as error:
            self.log.warning("postscreen", f"{p.ALLOWLIST_INTERFACES.name}: {error}")
            return False

    async def hidden_from(self, address: str) -> frozenset[str]:
        """Return the EHLO keywords that a client is not told."""
        try:
            words = await self._hidden_maps.find(address) if self._hidden_maps else None
            return self._hidden if words is None else discards(words.replace(",", " ").split())
        except (TableUnavailable, ValueError) as error:
            self.log.warning("postscreen", f"{p.DISCARD_EHLO_MAPS.name}: {address}: {error}")
            return self._hidden

    def speaks_for(self, rank: int) -> bool:
        """Whether a rank lets a client off the other tests."""
        return self._allow_threshold < 0 and rank <= self._allow_threshold and rank < self.threshold

    async def told_name(self, domain: str) -> str:
        """Return what a client is told in place of a list's name, which may have a password in it.

        Nothing, while that could not be looked up.
        """
        try:
            found = await self._reply_names.find(domain) if self._reply_names else None
        except TableUnavailable as error:
            self.log.warning("postscreen", f"{p.DNSBL_REPLY_MAP.name}: {error}")
            return ""
        return domain if found is None else found

    def footed(self, reply: Reply, screening: Screening) -> Reply:
        """Return a refusal as it is said: with the footer, softened where nothing is refused for good."""
        if self._soft and reply.code >= 500:
            reply = Reply(reply.code - 100, "4" + reply.status[1:] if reply.status else "", reply.text)
        if self._footer is None or reply.code < 400:
            return reply
        return self._footer(reply, screening.address, screening.port)

    def _is_forbidden(self, word: str) -> bool:
        """Whether postscreen_forbidden_commands has a word.  A table that fails or is slow is passed over."""
        try:
            return self._forbidden.now and self._forbidden.matches_now(word)
        except Exception as error:  # noqa: BLE001 - not worth a client, as in Postfix
            self.log.warning("postscreen", f"{p.FORBIDDEN_COMMANDS.name}: {error}")
            return False

    # -- the end

    @property
    def sessions(self) -> int:
        """Return how many clients are under test."""
        return len(self._screenings)

    def drain(self) -> None:
        """End every test; who is tested has no mail with us yet."""
        self.stopping = True
        for screening in tuple(self._screenings):
            screening.finish(Reply(421, "4.3.2", "Service currently unavailable"))

    def retire(self, then: Callable[[], None]) -> None:
        """No client comes any more: those under test go on; ``then`` is called after the last one."""
        if self._screenings:
            self._retired = then
        else:
            then()


def _action(settings: Settings, param: Param[str]) -> Action:
    text = settings[param]
    return Action.IGNORE if text == "continue" else Action(text)


def _key(address: str) -> str:
    """Return what a client's connections are counted as: apart from its sessions with smtpd."""
    return f"postscreen {address}"
