"""What one caller wants written.  Many of these become one transaction."""

from __future__ import annotations

from collections.abc import Sequence

from postroad.model.message import Content
from postroad.model.ports import Then

#: key, due, owner, held, envelope: a row of the table ``message``
Row = tuple[int, float, str, int, bytes]


class Change:
    """A new message, or what one attempt changed.

    ``row`` and ``body`` are a new message; without a body its content is a file, which is made of
    ``foreign`` first unless it is there already.  ``notices`` are others in the same transaction.
    ``done`` is a message that leaves; ``retry`` has due, envelope and key of one that stays;
    ``progress`` has envelope and key of one whose attempt goes on.
    ``lasting`` changes are kept and tried again until they are written.
    """

    __slots__ = ("body", "done", "foreign", "lasting", "notices", "progress", "retry", "row", "then")

    def __init__(self, then: Then) -> None:
        self.then = then
        self.row: Row | None = None
        self.body: bytes | None = None
        self.foreign: Content | None = None
        self.notices: Sequence[Change] = ()
        self.done = 0
        self.retry: tuple[float, bytes, int] | None = None
        self.progress: tuple[bytes, int] | None = None
        self.lasting = False
