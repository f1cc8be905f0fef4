"""What mail filters (milters) say of a session and of a message, in values that every stage knows."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from postroad.model.reply import Reply

#: Gives a message's body anew each time it is called: pieces of any size, lines ended by CRLF.
Body = Callable[[], Iterable[bytes]]


@dataclass(frozen=True, slots=True)
class ChangeSender:
    """The envelope's sender is another one.  ``arguments`` are ESMTP parameters as in MAIL FROM."""

    address: str
    arguments: str = ""


@dataclass(frozen=True, slots=True)
class AddRecipient:
    """One more recipient.  ``arguments`` are ESMTP parameters as in RCPT TO."""

    address: str
    arguments: str = ""


@dataclass(frozen=True, slots=True)
class DeleteRecipient:
    """The recipients whose RCPT TO named this address get nothing."""

    address: str


EnvelopeEdit = ChangeSender | AddRecipient | DeleteRecipient


@dataclass(frozen=True, slots=True)
class FilterOutcome:
    """What all filters together want of a message; only with no ``reply`` is it queued.

    Addresses of ``envelope`` are in internal form, the edits in the order in which they are to be
    done.  ``header`` and ``body`` are the new ones, whole, None where nothing has changed; both are
    as clean as what a client may send: CRLF line ends only, a body that ends with one.
    """

    reply: Reply | None = None
    envelope: tuple[EnvelopeEdit, ...] = ()
    header: bytes | None = None
    body: tuple[bytes, ...] | None = None
    hold: bool = False
    discard: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether the message is to be queued just as it was."""
        return self == _PLAIN


_PLAIN = FilterOutcome()
