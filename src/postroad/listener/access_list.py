"""postscreen_access_list: who is let through, and who fails, without a test."""

from __future__ import annotations

from collections.abc import Sequence
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
_WORDS: Final = {each.value: each for each in Access}


class AccessLists:
    """The members, asked in order.  ValueError for one that is no command and no table."""

    def __init__(self, settings: Settings, tables: TableContext, log: Log) -> None:
        self._log = log
        self._members: list[Access | Maps | AddressList] = []
        texts: tuple[str, ...] = settings[ACCESS_LIST]
        networks: tuple[str, ...] = settings[MYNETWORKS]
        for text in texts:
            word = text.lower()
            if word in _WORDS:
                self._members.append(_WORDS[word])
            elif word == _NETWORKS:
                parents = parents_of(settings, ACCESS_LIST.name)
                self._members.append(AddressList(networks, tables, parents=parents))
            elif ":" in text:
                self._members.append(Maps((text,), tables))
            else:
                raise ValueError(f'{ACCESS_LIST.name}: unknown command "{text}"')

    async def find(self, address: str) -> Access:
        """Return the verdict for a client.  A table that cannot be asked knows nobody: the tests decide."""
        try:
            for member in self._members:
                verdict = await self._ask(member, address)
                if verdict is not None:
                    return verdict
        except TableUnavailable as error:
            self._log.warning("postscreen", f"{ACCESS_LIST.name}: {error}")
        return Access.UNKNOWN

    async def _ask(self, member: Access | Maps | AddressList, address: str) -> Access | None:
        if isinstance(member, Access):
            return member
        if isinstance(member, AddressList):
            return Access.PERMIT if await member.matches(address) else None
        found = await member.find(address)
        if found is None:
            return None
        verdict = _verdict(found, address, self._log)
        return Access.UNKNOWN if verdict is None else verdict


def _verdict(value: str, address: str, log: Log) -> Access | None:
    words: Sequence[str] = value.replace(",", " ").lower().split()
    if len(words) == 1 and words[0] in _WORDS:
        return _WORDS[words[0]]
    log.warning("postscreen", f'{ACCESS_LIST.name}: {address}: unknown command "{value}"')
    return None
