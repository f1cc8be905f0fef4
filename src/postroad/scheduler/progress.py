"""Writing progress: which recipients are done while others of the message are still tried."""

from __future__ import annotations

import asyncio

from postroad.model.job import Attempt
from postroad.model.queue import Store

_MANY = 200  # recipients
_PAUSE = 1.0  # seconds


class Progress:
    """Has it written with the next batch; of a message with very many recipients once in a while.

    What is written is the whole envelope: after each of its thousand jobs, that would be megabytes.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._planned: set[int] = set()

    def note(self, attempt: Attempt) -> None:
        """Write soon what is done; the lease stays.  For attempts that go on."""
        message = attempt.message
        if len(message.recipients) <= _MANY:
            self._write(attempt)
        elif message.key not in self._planned:
            self._planned.add(message.key)
            asyncio.get_running_loop().call_later(_PAUSE, self._write_late, attempt)

    def _write_late(self, attempt: Attempt) -> None:
        self._planned.discard(attempt.message.key)
        if attempt.pending:  # else its settlement says the same
            self._write(attempt)

    def _write(self, attempt: Attempt) -> None:
        # What has to be queued with the settlement (forwards, notices) keeps its recipients open until then.
        if not attempt.new_messages and not attempt.succeeded and not attempt.failed:
            self._store.progress(attempt.message)
