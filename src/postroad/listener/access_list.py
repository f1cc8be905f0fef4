"""postscreen_access_list: who is let through, and who fails, without a test."""

from __future__ import annotations

from enum import Enum
from typing import Final

from postroad.base.errors import TableUnavailable
from postroad.base.log import Log
from postroad.base.params import Settings
from postroad.listener.params import ACCESS_LIST
from postroad.model.params import MYNETWORKS
from postroad.tables.context import TableContext
from postroad.tables.maps import Maps
from postroad.tables.matchlist import AddressList, parents_of


class Access(Enum):
    """What the list says."""

    PERMIT = "permit"
    REJECT = "reject"
    UNKNOWN = "dunno"


_NETWORKS: Final = "permit_mynetworks"
_COMMANDS: Final = frozenset({_NETWORKS, *(each.value for each in Access)})


class AccessLists:
    """The members, asked in order.  ValueError for one that is no command and no table."""

    def __init__(self, settings: Settings, tables: TableContext, log: Log) -> None:
        self._log = log
        texts: tuple[str, ...] = settings[ACCESS_LIST]
        networks: tuple[str, ...] = settings[MYNETWORKS]
        parents = parents_of(settings, ACCESS_LIST.name)
        self._networks = AddressList(networks, tables, parents=parents)
        self._members: list[str | Maps] = []
        for text in texts:
            if text.lower() in _COMMANDS:
                self._members.append(text.lower())
            elif ":" in text:
                self._members.append(Maps((text,), tables))
            else:
                raise ValueError(f'{ACCESS_LIST.name}: unknown command "{text}"')

    async def find(self, address: str) -> Access:
        """Return the verdict for a client.  A table that cannot be asked knows nobody: the tests decide."""
        try:
            for member in self._members:
                if isinstance(member, str):
                    verdict = await self._obey(member, address)
                else:
                    verdict = await self._ask(member, address)
                if verdict is not None:
                    return verdict
        except TableUnavailable as error:
            self._log.warning("postscreen", f"{ACCESS_LIST.name}: {error}")
        return Access.UNKNOWN

    async def _obey(self, command: str, address: str) -> Access | None:
        if command == _NETWORKS:
            return Access.PERMIT if await self._networks.matches(address) else None
        return Access(command)

    async def _ask(self, table: Maps, address: str) -> Access | None:
        """Return what a table says; dunno there means that the next member is asked."""
        for command in (await table.find(address) or "").replace(",", " ").lower().split():
            if command not in _COMMANDS:
                self._log.warning("postscreen", f'{ACCESS_LIST.name}: {address}: unknown command "{command}"')
                return Access.UNKNOWN
            verdict = await self._obey(command, address)
            if verdict is not None:
                return None if verdict is Access.UNKNOWN else verdict
        return None
