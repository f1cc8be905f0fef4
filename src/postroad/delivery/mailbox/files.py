"""Writing to files, the parts that all mailboxes share."""

from __future__ import annotations

import errno
import os
from typing import Final

#: Errors of writing, not of opening or making.
WRITING: Final = frozenset({errno.EFBIG, errno.EDQUOT, errno.ENOSPC, errno.EIO})


def write_all(fd: int, data: bytes) -> None:
    """Write every byte; a short write is finished."""
    done = os.write(fd, data)
    while done < len(data):
        done += os.write(fd, data[done:])


def keep_within(size: int, limit: int) -> None:
    """Raise what the system raises for a file that is too large (EFBIG); a limit of 0 is none."""
    if limit and size > limit:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
