"""What a server says to every envelope need not be read every time."""

from __future__ import annotations

from postroad.proto.client_values import Dispatch
from postroad.proto.replies import ReplyParser


class UsualAnswers:
    """The bytes that a server has last answered to a whole envelope, all of whose recipients it took.

    Bytes that led from MAIL to the content lead there again for as many recipients.  Only with
    pipelining do the answers come together; without it there is nothing to note.
    """

    __slots__ = ("_count", "_replies")

    def __init__(self) -> None:
        self._replies = b""
        self._count = 0  # recipients

    def note(self, replies: bytes, dispatch: Dispatch) -> None:
        """Remember the answers that have just let the content of ``dispatch`` through."""
        if len(dispatch.accepted) == len(dispatch.asked):
            self._replies, self._count = replies, len(dispatch.asked)

    def taken(self, parser: ReplyParser, dispatch: Dispatch) -> bool:
        """Take the answers to ``dispatch`` if they are all there and the same; else do nothing."""
        if len(dispatch.asked) != self._count or not parser.drop(self._replies):
            return False
        dispatch.accepted = list(dispatch.asked)
        dispatch.replied = self._count
        return True
