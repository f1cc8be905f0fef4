"""One process for one shard: a lock that the kernel drops when the process ends."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from postroad.base.errors import StoreUnavailable


class ShardBusy(StoreUnavailable):
    """Another process has the shard."""


class ShardLock:
    """The lock of one shard's directory, from construction to ``close``.  ShardBusy names the holder."""

    def __init__(self, directory: Path) -> None:
        path = directory / "lock"
        try:
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise StoreUnavailable(f"cannot open {path}: {error.strerror}") from error
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(self._fd, 20, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(self._fd)
            raise ShardBusy(f"{directory} is in use by process {holder}") from error
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, f"{os.getpid()}\n".encode(), 0)
        if os.geteuid() == 0:  # a tool of root's must not lock the server out
            owner = directory.stat()
            os.fchown(self._fd, owner.st_uid, owner.st_gid)

    def close(self) -> None:
        """Let the shard go."""
        os.close(self._fd)
