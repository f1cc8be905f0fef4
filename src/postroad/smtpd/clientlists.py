"""For which clients a service makes exceptions, and which EHLO keywords a client is not told."""

from __future__ import annotations

from postroad.base.errors import TableUnavailable
from postroad.base.log import Log
from postroad.base.params import Param, Settings
from postroad.model import params as model
from postroad.model.client import Client
from postroad.proto.ehlo import discards
from postroad.smtpd import params as p
from postroad.tables.context import TableContext
from postroad.tables.maps import Maps
from postroad.tables.matchlist import AddressList, parents_of


class ExceptionList:
    """The clients of one parameter.  While it cannot be asked there is no exception, and all may come."""

    __slots__ = ("_log", "_members", "_name")

    def __init__(self, name: str, members: AddressList, log: Log) -> None:
        self._name = name
        self._members = members
        self._log = log

    async def has(self, client: Client) -> bool:
        """Whether the client is an exception."""
        try:
            return await self._members.matches(client.address, client.name)
        except TableUnavailable as error:
            self._log.warning("smtpd", f"{self._name}: {error}")
            return False


class ClientLists:
    """Those of one service.

    Clients that are ``uncounted`` have no limits, ``bare_newline`` may end lines without CR, ``auth_hidden``
    are not offered AUTH.  ``has_proxies``: there may be clients that speak for others.
    """

    __slots__ = ("_xclient", "_xforward", "auth_hidden", "bare_newline", "has_proxies", "uncounted")

    def __init__(self, settings: Settings, tables: TableContext, log: Log, *, local: bool) -> None:
        parents = parents_of(settings, model.MYNETWORKS.name)

        def clients(param: Param[tuple[str, ...]]) -> AddressList:
            members = settings[param]
            return AddressList(members, tables, parents=parents)

        def exceptions(param: Param[tuple[str, ...]]) -> ExceptionList:
            return ExceptionList(param.name, clients(param), log)

        self.uncounted = exceptions(p.LIMIT_EXCEPTIONS)
        self.auth_hidden = exceptions(p.AUTH_HIDDEN_FROM)
        self.bare_newline = exceptions(p.BARE_NEWLINE_EXCLUSIONS)
        self._xclient = clients(p.XCLIENT_HOSTS)
        self._xforward = clients(p.XFORWARD_HOSTS)
        self.has_proxies = bool(self._xclient or self._xforward) and not local

    async def may_xclient(self, client: Client) -> bool:
        """Whether smtpd_authorized_xclient_hosts has the client; TableUnavailable when it is not known."""
        return await self._xclient.matches(client.address, client.name)

    async def may_xforward(self, client: Client) -> bool:
        """Whether smtpd_authorized_xforward_hosts has the client; TableUnavailable when it is not known."""
        return await self._xforward.matches(client.address, client.name)


class Discards:
    """smtpd_discard_ehlo_keyword_address_maps, and smtpd_discard_ehlo_keywords for all other clients."""

    __slots__ = ("_log", "_maps", "_otherwise")

    def __init__(self, settings: Settings, tables: TableContext, log: Log) -> None:
        words, maps = settings[p.DISCARD_EHLO], settings[p.DISCARD_EHLO_MAPS]
        self._otherwise = discards(words)
        self._maps = Maps(maps, tables)
        self._log = log

    async def of(self, client: Client) -> frozenset[str]:
        """Return the keywords that a client is not told; TableUnavailable when it is not known."""
        if not self._maps:
            return self._otherwise
        words = await self._maps.find(client.address)
        if words is None:
            return self._otherwise
        try:
            return discards(words.replace(",", " ").split())
        except ValueError as error:
            self._log.warning("smtpd", f"{p.DISCARD_EHLO_MAPS.name}: {client.address}: {error}")
            return self._otherwise
