"""One delivery to one mailbox, as it is handed to whoever writes it, and what became of it."""

from __future__ import annotations

import errno
import os
from typing import Final

import msgspec

_SPECIAL: Final = {
    errno.EAGAIN: "4.2.0",
    errno.ESTALE: "4.2.0",
    errno.ENOSPC: "4.3.0",
    errno.EDQUOT: "5.2.2",
    errno.EFBIG: "5.2.2",
}


class Locking(msgspec.Struct, frozen=True, array_like=True):
    """How an mbox is locked: the methods, how often and how long (seconds) to try."""

    methods: tuple[str, ...] = ("fcntl", "dotlock")
    attempts: int = 20
    delay: float = 1.0
    stale: float = 500.0


class Delivery(msgspec.Struct, frozen=True, array_like=True):
    """What to write where.

    ``path`` is relative to ``base``; one that ends in ``/`` is a Maildir, any other an mbox.
    ``head`` is put in front of the content: whole header lines that end with LF.  ``limit`` is the
    greatest size of the file in bytes, 0 for none.
    """

    base: bytes
    path: bytes
    uid: int
    gid: int
    head: bytes
    from_line: bytes = b""  # mbox only
    limit: int = 0
    host: str = "localhost"
    strict_owner: bool = True
    locking: Locking = Locking()

    @property
    def is_maildir(self) -> bool:
        """Return whether the path names a Maildir."""
        return self.path.endswith(b"/")


class Result(msgspec.Struct, frozen=True, array_like=True):
    """What became of a delivery: enhanced status code, text, and warnings for the log."""

    status: str
    text: str
    warnings: tuple[str, ...] = ()


def status_of(error: OSError, default: str = "4.2.0") -> str:
    """Return the status of a failure at a mailbox; a full disk is ours, a full mailbox the recipient's."""
    return _SPECIAL.get(error.errno or 0, default)


def reason_of(error: OSError) -> str:
    """Return the system's words for a failure."""
    return os.strerror(error.errno) if error.errno else str(error)
