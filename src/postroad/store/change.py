"""What one caller wants written.  Many of these become one batch."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

from postroad.model.message import Content
from postroad.model.queue import Then

#: key, due, owner, held, envelope: a row of the table ``message``
Row = tuple[int, float, str, int, bytes]


class Change:
    """A new message, or what one attempt changed.

    ``key`` is the message.  ``row``, ``body`` and the body's ``checksum`` are a new one; without a
    body its content is a file, which is made of ``foreign`` first unless it is there already.
    ``notices`` are others that are written with it or not at all.
    ``done`` is a message that leaves; ``retry`` has due, envelope and key of one that stays;
    ``progress`` has envelope and key of one whose attempt goes on.
    ``lasting`` changes are kept and tried again until they are written.
    """

    __slots__ = (
        "body",
        "checksum",
        "done",
        "foreign",
        "key",
        "lasting",
        "notices",
        "progress",
        "retry",
        "row",
        "then",
    )

    def __init__(self, then: Then, key: int = 0) -> None:
        self.then = then
        self.key = key
        self.row: Row | None = None
        self.body: bytes | None = None
        self.checksum = 0
        self.foreign: Content | None = None
        self.notices: Sequence[Change] = ()
        self.done = 0
        self.retry: tuple[float, bytes, int] | None = None
        self.progress: tuple[bytes, int] | None = None
        self.lasting = False

    def carry(self, body: bytes) -> None:
        """Have a new message's content in memory."""
        self.body = body
        self.checksum = zlib.crc32(body)
