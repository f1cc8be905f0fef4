"""Why a message was not accepted at its final dot: Postfix's codes and words (cleanup(8))."""

from __future__ import annotations

from postroad.base.errors import PostroadError
from postroad.model.reply import Reply

WRITE_ERROR = Reply(451, "4.3.0", "Error: queue file write error")
ALIAS_ERROR = Reply(451, "4.6.0", "Alias expansion error")
TOO_MANY_HOPS = Reply(554, "5.4.0", "Error: too many hops")
BAD_CHARACTER = Reply(550, "5.7.1", "disallowed character")
HEADER_TOO_BIG = Reply(552, "5.3.4", "Error: message header size exceeds fixed limit")


class RefusedError(PostroadError):
    """The message is refused with ``reply``."""

    def __init__(self, reply: Reply) -> None:
        self.reply = reply
        super().__init__(reply.line())
