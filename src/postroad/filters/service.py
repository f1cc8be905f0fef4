"""The milters of an smtpd service, and those of mail that does not come by SMTP: made once per settings."""

from __future__ import annotations

import asyncio

from postroad.base.errors import TableUnavailable
from postroad.base.kinds import LIST
from postroad.base.log import Log
from postroad.base.params import Settings
from postroad.base.wheel import Wheel
from postroad.filters import params as p
from postroad.filters.macros import Macros
from postroad.filters.milter import Milter, Surroundings
from postroad.filters.session import MilterSession
from postroad.filters.spec import MilterSpec, read_milters
from postroad.model.client import Client
from postroad.model.filters import Body, FilterOutcome
from postroad.model.params import MESSAGE_SIZE_LIMIT, MYHOSTNAME, QUEUE_DIRECTORY, RECEIVE_OVERRIDE_OPTIONS
from postroad.model.ports import Router
from postroad.model.session import Session
from postroad.tables.context import TableContext
from postroad.tables.maps import Maps

_REMEMBERED = 100  # values of smtpd_milter_maps


class SmtpdMilters:
    """The milters of one service; implements ``model.ports.Filters``."""

    def __init__(self, settings: Settings, around: Surroundings, tables: TableContext) -> None:
        self._settings = settings
        self._around = around
        self._hostname = settings[MYHOSTNAME]
        usual: tuple[str, ...] = settings[p.SMTPD_MILTERS]
        maps: tuple[str, ...] = settings[p.SMTPD_MILTER_MAPS]
        self._usual = read_milters(usual, settings)
        self._maps = Maps(maps, tables)
        self._read: dict[str, tuple[MilterSpec, ...]] = {}

    async def session(self, session: Session) -> MilterSession | None:
        """Return the milters of a client, as smtpd_milter_maps or smtpd_milters has them."""
        specs = self._usual
        if self._maps:
            value = await self._maps.find(session.client.address)
            if value is not None:
                specs = self._specs(value)
        if not specs:
            return None
        milters = [Milter(spec, self._around) for spec in specs]
        return MilterSession(session, milters, self._around.log, self._hostname)

    def _specs(self, value: str) -> tuple[MilterSpec, ...]:
        if value.strip().lower() == "disable":
            return ()
        specs = self._read.get(value)
        if specs is None:
            try:
                specs = read_milters(LIST.parse(value), self._settings)
            except ValueError as error:
                # not "none": what an operator wanted filtered is not let through unfiltered
                raise TableUnavailable(f"{p.SMTPD_MILTER_MAPS.name}: {value}: {error}") from error
            if len(self._read) >= _REMEMBERED:
                self._read.clear()
            self._read[value] = specs
        return specs


class OtherMilters:
    """The milters of mail that comes without SMTP; implements ``model.ports.LocalFilters``."""

    def __init__(self, settings: Settings, around: Surroundings) -> None:
        self._around = around
        self._hostname = settings[MYHOSTNAME]
        listed: tuple[str, ...] = settings[p.NON_SMTPD_MILTERS]
        self._specs = read_milters(listed, settings)
        #: All mail of our own is of the class bounce.
        self.notices = "bounce" in settings[p.INTERNAL_MAIL_FILTER_CLASSES]

    async def message(self, session: Session, header: bytes, body: Body) -> FilterOutcome:
        """Tell the milters of an SMTP session from localhost that there was not, then of its message."""
        pretended = Session(
            Client("127.0.0.1", name="localhost", name_code=2, local_uid=session.client.local_uid or 0),
            helo="localhost",
            protocol="ESMTP",
            transaction=session.transaction,
        )
        # the client's own address is what a "localhost" session would have come to
        pretended.client.server_address = "127.0.0.1"
        milters = [Milter(spec, self._around) for spec in self._specs]
        chain = MilterSession(pretended, milters, self._around.log, self._hostname, local=True)
        try:
            return await _whole(chain, pretended, header, body)
        finally:
            chain.close()


async def _whole(chain: MilterSession, session: Session, header: bytes, body: Body) -> FilterOutcome:
    reply = await chain.connect() or await chain.helo() or await chain.mail()
    if reply is None:
        for recipient in tuple(session.transaction.recipients):
            reply = reply or await chain.recipient(recipient.original)
    reply = reply or await chain.data()
    if reply is not None:
        return FilterOutcome(reply)
    return await chain.message(header, body)


def smtpd_milters(
    settings: Settings,
    *,
    tables: TableContext,
    log: Log,
    wheel: Wheel,
    loop: asyncio.AbstractEventLoop,
    router: Router | None = None,
) -> SmtpdMilters | None:
    """Return the milters of an smtpd service, None when it has none.  ValueError: they cannot be used."""
    wanted = settings[p.SMTPD_MILTERS] or settings[p.SMTPD_MILTER_MAPS]
    if not wanted or "no_milters" in settings[RECEIVE_OVERRIDE_OPTIONS]:
        return None
    macros = Macros(settings, router)
    return SmtpdMilters(settings, _around(settings, macros, log, wheel, loop), tables)


def other_milters(
    settings: Settings, *, log: Log, wheel: Wheel, loop: asyncio.AbstractEventLoop
) -> OtherMilters | None:
    """Return the milters of mail that comes without SMTP, None when there are none.  ValueError as above."""
    if not settings[p.NON_SMTPD_MILTERS] or "no_milters" in settings[RECEIVE_OVERRIDE_OPTIONS]:
        return None
    return OtherMilters(settings, _around(settings, Macros(settings), log, wheel, loop))


def _around(settings: Settings, macros: Macros, log: Log, wheel: Wheel, loop: asyncio.AbstractEventLoop) -> Surroundings:  # fmt: skip  # noqa: E501
    return Surroundings(log, wheel, loop, settings[QUEUE_DIRECTORY], settings[MESSAGE_SIZE_LIMIT], macros)
