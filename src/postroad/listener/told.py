"""What clients under test are told: greetings, EHLO keywords, names of lists, footers."""

from __future__ import annotations

from collections.abc import Callable

from postroad.base.errors import TableUnavailable
from postroad.base.log import Log
from postroad.base.params import Settings
from postroad.listener import params as p
from postroad.model import params as model
from postroad.model.reply import Reply
from postroad.proto.ehlo import discards
from postroad.tables.context import TableContext
from postroad.tables.maps import Maps

#: Puts the operator's text behind a refusal to the client at an address and port.
Foot = Callable[[Reply, str, int], Reply]


class Told:
    """The words of one service.  ``teaser`` is said before the tests, ``greeting`` behind them."""

    __slots__ = ("_footer", "_hidden", "_hidden_maps", "_log", "_reply_names", "_soft", "greeting", "teaser")

    def __init__(self, settings: Settings, tables: TableContext, log: Log, footer: Foot | None) -> None:
        hidden, hidden_maps = settings[p.DISCARD_EHLO], settings[p.DISCARD_EHLO_MAPS]
        reply_map = settings[p.DNSBL_REPLY_MAP]
        self.teaser = f"220-{settings[p.GREET_BANNER]}\r\n".encode()
        self.greeting = f"220 {settings.texts['smtpd_banner']}\r\n".encode()
        self._hidden = discards(hidden)
        self._hidden_maps = Maps(hidden_maps, tables)
        self._reply_names = Maps((reply_map,) if reply_map else (), tables)
        self._soft = settings[model.SOFT_BOUNCE]
        self._footer = footer
        self._log = log

    async def hidden_from(self, address: str) -> frozenset[str]:
        """Return the EHLO keywords that a client is not told."""
        try:
            words = await self._hidden_maps.find(address) if self._hidden_maps else None
            return self._hidden if words is None else discards(words.replace(",", " ").split())
        except (TableUnavailable, ValueError) as error:
            self._log.warning("postscreen", f"{p.DISCARD_EHLO_MAPS.name}: {address}: {error}")
            return self._hidden

    async def name_of(self, domain: str) -> str:
        """Return what is told in place of a list's name, which may have a password in it.

        Nothing, while that could not be looked up.
        """
        try:
            found = await self._reply_names.find(domain) if self._reply_names else None
        except TableUnavailable as error:
            self._log.warning("postscreen", f"{p.DNSBL_REPLY_MAP.name}: {error}")
            return ""
        return domain if found is None else found

    def footed(self, reply: Reply, address: str, port: int) -> Reply:
        """Return a refusal as it is said: with the footer, softened where nothing is refused for good."""
        if self._soft and reply.code >= 500:
            reply = Reply(reply.code - 100, "4" + reply.status[1:] if reply.status else "", reply.text)
        if self._footer is None or reply.code < 400:
            return reply
        return self._footer(reply, address, port)
