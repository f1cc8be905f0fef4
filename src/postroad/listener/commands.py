"""What the operator says of commands of clients under test: their replacement, and which are forbidden."""

from __future__ import annotations

from postroad.base.kinds import split_list
from postroad.base.log import Log
from postroad.base.params import Settings
from postroad.listener import params as p
from postroad.tables.context import TableContext
from postroad.tables.maps import Maps
from postroad.tables.matchlist import StringList


class Commands:
    """The lists of one service.  ValueError for a filter that has to be waited for: a command cannot wait."""

    __slots__ = ("_filter", "_forbidden", "_log")

    def __init__(self, settings: Settings, tables: TableContext, log: Log) -> None:
        self._filter = Maps(split_list(settings[p.COMMAND_FILTER]), tables)
        if not self._filter.now:
            raise ValueError(f"{p.COMMAND_FILTER.name}: only a table that answers from memory can be used")
        words = settings[p.FORBIDDEN_COMMANDS]
        self._forbidden = StringList(words, tables)
        self._log = log

    @property
    def filtered(self) -> bool:
        """Whether there is a filter."""
        return bool(self._filter)

    def rewritten(self, line: str) -> str | None:
        """Return what postscreen_command_filter has in place of a line; None: as it is.  TableUnavailable."""
        return self._filter.find_now(line.lstrip(" \t"))

    def is_forbidden(self, word: str) -> bool:
        """Whether postscreen_forbidden_commands has a word.  A table that fails or is slow is passed over."""
        try:
            return self._forbidden.now and self._forbidden.matches_now(word)
        except Exception as error:  # noqa: BLE001 - not worth a client, as in Postfix
            self._log.warning("postscreen", f"{p.FORBIDDEN_COMMANDS.name}: {error}")
            return False
