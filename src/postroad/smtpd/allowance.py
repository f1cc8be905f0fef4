"""How much each user may send: messages and recipients by login, whatever the address they come from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from postroad.base.errors import TableUnavailable
from postroad.base.kinds import TIME, split_list
from postroad.base.log import Event, Log
from postroad.base.params import Settings
from postroad.model.params import DATA_DIRECTORY
from postroad.model.reply import Reply
from postroad.model.session import Session
from postroad.smtpd import params as p
from postroad.store.allowance import Limit, open_allowances
from postroad.tables.context import TableContext
from postroad.tables.maps import Maps

FILE: Final = "allowances.db"
EXCEEDED = Event(
    "smtpd",
    "warning: %s limit exceeded: %s/%ss from %s, sasl_username=%s",
    "A user sends more than smtpd_login_message_rate or smtpd_login_recipient_rate allows.",
    urgent=True,
)
_MESSAGES, _RECIPIENTS = "messages", "recipients"
_NONE = "unlimited"


class Allowance:
    """The limits of one service's users.  Each question uses one more, unless the answer is no."""

    def __init__(self, settings: Settings, tables: TableContext, log: Log, now: Callable[[], float]) -> None:
        messages, recipients = settings[p.LOGIN_MESSAGE_RATE], settings[p.LOGIN_RECIPIENT_RATE]
        maps = settings[p.LOGIN_RATE_MAPS]
        self._log = log
        self._now = now
        self._limits = {_MESSAGES: parse_limits(messages), _RECIPIENTS: parse_limits(recipients)}
        self._maps = Maps(maps, tables)
        self._memory = open_allowances(Path(settings[DATA_DIRECTORY]) / FILE)

    async def message(self, session: Session) -> Reply | None:
        """Use a message of the user's; return the refusal when there are no more."""
        return await self._use(session, _MESSAGES)

    async def recipient(self, session: Session) -> Reply | None:
        """Use a recipient of the user's; return the refusal when there are no more."""
        return await self._use(session, _RECIPIENTS)

    async def _use(self, session: Session, thing: str) -> Reply | None:
        """TableUnavailable and StoreUnavailable say that nobody could look."""
        user = session.sasl_username
        limits = await self._limits_of(user, thing)
        over = await self._memory.use(user, thing, limits, self._now()) if limits else None
        if over is None:
            return None
        where = session.client.named_address
        self._log.emit(EXCEEDED, thing.capitalize(), over.number, over.period, where, user)
        return Reply(450, "4.7.1", f"Error: too many {thing} from {user if user.isprintable() else 'you'}")

    async def _limits_of(self, user: str, thing: str) -> Sequence[Limit]:
        found = await self._maps.find(user) if self._maps else None
        if found is None:
            return self._limits[thing]
        try:
            return parse_entry(found).get(thing, self._limits[thing])
        except ValueError as error:
            raise TableUnavailable(f"{p.LOGIN_RATE_MAPS.name}: {user}: {error}") from error


def allowance_of(settings: Settings, tables: TableContext, log: Log, now: Callable[[], float]) -> Allowance | None:  # fmt: skip  # noqa: E501
    """Return the limits of a service's users; None where there are none.  ValueError: bad settings."""
    if not (
        settings[p.LOGIN_MESSAGE_RATE] or settings[p.LOGIN_RECIPIENT_RATE] or settings[p.LOGIN_RATE_MAPS]
    ):
        return None
    return Allowance(settings, tables, log, now)


def parse_limits(members: Sequence[str]) -> tuple[Limit, ...]:
    """Read members like ``100/1h``.  ValueError names one that is no limit."""
    limits = []
    for member in members:
        number, slash, period = member.partition("/")
        try:
            seconds = TIME.parse(period)
        except ValueError:
            seconds = 0
        if not (slash and number.isascii() and number.isdigit() and len(number) < 12 and seconds):
            raise ValueError(f'"{member}" is no limit such as 100/1h')
        limits.append(Limit(int(number), seconds))
    return tuple(limits)


def parse_entry(text: str) -> dict[str, tuple[Limit, ...]]:
    """Read a table's ``messages=50/1h,500/1d recipients=1000/1d``, each of which may be ``unlimited``.

    ValueError for anything else.
    """
    if text.strip().lower() == _NONE:
        return {_MESSAGES: (), _RECIPIENTS: ()}
    found = {}
    for word in text.split():
        name, _, value = word.partition("=")
        if name not in (_MESSAGES, _RECIPIENTS) or not value:
            raise ValueError(f'"{word}" is neither messages=... nor recipients=...')
        found[name] = () if value.lower() == _NONE else parse_limits(split_list(value))
    return found
