"""The directory of a shard: made durable, and its owner's."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from postroad.base.errors import StoreUnavailable


def make_directory(directory: Path) -> None:
    """Make a shard's directory, and its name durable.  StoreUnavailable when it cannot be."""
    if directory.is_dir():
        return
    try:
        directory.mkdir(mode=0o700, exist_ok=True)
        fd = os.open(directory.parent, os.O_RDONLY)
        os.fsync(fd)
        os.close(fd)
    except OSError as error:
        raise StoreUnavailable(f"cannot make {directory}: {error.strerror}") from error


def give_to_owner(directory: Path) -> None:
    """Let what root makes in another user's shard be that user's, before SQLite derives its files from it.

    OSError for a database that is a link: that user must not have root write where it points to.
    """
    owner = directory.stat()
    database = directory / "queue.db"
    if database.is_symlink():
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(database))
    if not database.exists():
        database.touch(mode=0o600)
    for path in (database, directory / "bodies", directory / "journal-0", directory / "journal-1"):
        if path.exists():
            os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)
