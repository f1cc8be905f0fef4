"""What the operator says of commands: their replacement, those that do nothing, those that end a session."""

from __future__ import annotations

from postroad.base.kinds import split_list
from postroad.base.log import Log
from postroad.base.params import Settings
from postroad.smtpd import params as p
from postroad.tables.context import TableContext
from postroad.tables.maps import Maps
from postroad.tables.matchlist import StringList


class Commands:
    """The lists of one service.  ValueError for a filter that has to be waited for: a command cannot wait."""

    __slots__ = ("_filter", "_forbidden", "_log", "_noop")

    def __init__(self, settings: Settings, tables: TableContext, log: Log) -> None:
        self._log = log
        self._filter = Maps(split_list(settings[p.COMMAND_FILTER]), tables)
        if not self._filter.now:
            raise ValueError(f"{p.COMMAND_FILTER.name}: only a table that answers from memory can be used")
        noop, forbidden = settings[p.NOOP_COMMANDS], settings[p.FORBIDDEN_COMMANDS]
        self._noop = StringList(noop, tables)
        self._forbidden = StringList(forbidden, tables)

    def rewritten(self, command: str) -> str | None:
        """Return what smtpd_command_filter has in place of a command; None: as it is.  TableUnavailable."""
        return self._filter.find_now(command)

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
            self._log.warning("smtpd", f"list of commands: {error}")
            return False
