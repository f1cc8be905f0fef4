"""A connection whose server is heard through a filter: ``smtp_reply_filter``."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, cast

from postroad.base import tasks
from postroad.base.errors import TableUnavailable
from postroad.base.params import Settings
from postroad.delivery.smtp.connection import Connection
from postroad.delivery.smtp.context import UNEXPECTED, ClientContext, events
from postroad.delivery.smtp.lane import Lane
from postroad.delivery.smtp.params import REPLY_FILTER
from postroad.delivery.smtp.security import Bond
from postroad.proto.client_filtered import FilteredSession
from postroad.proto.client_stages import CLOSED, Event
from postroad.proto.client_values import Peer
from postroad.tables.context import TableContext
from postroad.tables.maps import Maps

#: Looks a line up; TableUnavailable when it cannot.
ReplyFilter = Callable[[str], Coroutine[Any, Any, str | None]]

REPLACING = events(
    '%s: replacing server reply "%s" with "%s"', "A line of a reply is taken for what the filter says."
)
FAILED = events(
    "warning: %s: reply filter lookup error for %s: %s",
    "The filter of replies cannot be asked: the connection is given up, and mail waits.",
    urgent=True,
)


def reply_filter(settings: Settings, program: str, tables: TableContext) -> ReplyFilter | None:
    """Return the filter of a client program, None where there is none; ValueError for a table of no type."""
    spec = settings[REPLY_FILTER[program]]
    return Maps([spec], tables).find if spec else None


class FilteredConnection(Connection):
    """A connection that looks up each line of a reply before it counts.

    What the server has said counts even if it has closed the connection since: it may be that it has
    taken the message.
    """

    __slots__ = ("_asking", "_filter", "_gone")

    def __init__(self, look_up: ReplyFilter, context: ClientContext, peer: Peer, lane: Lane, then: Callable[[Connection], None], bond: Bond | None = None) -> None:  # fmt: skip  # noqa: E501
        super().__init__(context, peer, lane, then, bond)
        terms = bond.terms if bond is not None else None
        self.session = FilteredSession(context.manners, peer, context.warn, lane.usual, terms)
        self._filter = look_up
        self._asking = False
        self._gone = False  # the connection is, while a line is looked up

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone; so it is for the session when all that was said is looked up."""
        if self._asking:
            self.lost = self._gone = True
        else:
            super().connection_lost(exc)

    def _event(self, event: Event) -> None:
        if event is Event.FILTER:
            self._ask()
        else:
            super()._event(event)

    def _ask(self) -> None:
        self._asking = True
        tasks.start(self._filter(cast("FilteredSession", self.session).question), self._answered)

    def _answered(self, line: str | None, error: BaseException | None) -> None:
        self._asking = False
        session = cast("FilteredSession", self.session)
        if error is not None:
            self._failed(session, error)
        else:
            if line is not None:
                self._context.emit(REPLACING, self.peer.relay, session.question, line)
            session.filtered(line)
        if not self._driving:
            self._drive()
        if self._gone and not self._asking:
            self._gone = False
            super().connection_lost(None)

    def _failed(self, session: FilteredSession, error: BaseException) -> None:
        if isinstance(error, TableUnavailable):
            self._context.emit(FAILED, self.peer.relay, session.question, error)
        else:
            self._context.emit(UNEXPECTED, self.peer.relay, error)
        if session.stage is not CLOSED:
            self._event(session.unfiltered())
