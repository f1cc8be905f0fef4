"""Delivery to Maildirs, many at a time: write all, sync, rename all, sync the directories.

A message is in ``new/`` whole and synced, or not at all.
"""

from __future__ import annotations

import ctypes
import errno
import os
import re
from collections.abc import Callable, Sequence
from typing import Final

from postroad.base.clock import Clock
from postroad.base.errors import StoreUnavailable
from postroad.delivery.mailbox import folder
from postroad.delivery.mailbox.files import WRITING, keep_within, write_all
from postroad.delivery.mailbox.request import Delivery, Result, reason_of, status_of
from postroad.delivery.mailbox.text import lf_pieces
from postroad.model.message import Content

DELIVERED: Final = Result("2.0.0", "delivered to maildir")

#: From so many files on, one sync of the file system costs less than one for each file (measured on ext4).
SYNC_TOGETHER: Final = 8
_NEW_FILE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Names:
    """Makes Maildir file names: unique on this host, in order of time."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._count = 0
        self._pid = os.getpid()

    def temporary(self, host: str) -> str:
        """Return a name for ``tmp/``."""
        self._count += 1
        return f"{int(self._clock.now())}.P{self._pid}Q{self._count}.{_host(host)}"

    def final(self, host: str, made: os.stat_result) -> str:
        """Return the name for ``new/``; device and inode make it unique while the file is there."""
        now = self._clock.now()
        microseconds = int(now % 1 * 1_000_000)
        return f"{int(now)}.V{made.st_dev:x}I{made.st_ino:x}M{microseconds}.{_host(host)}"


def _host(name: str) -> str:
    return name.replace("/", "\\057").replace(":", "\\072")


class _File:
    """A message that is written but not yet in ``new/``."""

    __slots__ = ("device", "fd", "folder", "new", "new_name", "place", "tmp", "tmp_name")

    def __init__(self, delivery: Delivery, names: Names) -> None:
        self.fd = self.tmp = self.new = self.folder = -1
        self.new_name = ""
        self.tmp_name = names.temporary(delivery.host)
        self.folder = folder.open_below(delivery.base, folder.parts_of(delivery.path), create=True)
        try:
            self.tmp = _subfolder(self.folder, "tmp")
            self.new = _subfolder(self.folder, "new")
            self.fd = os.open(self.tmp_name, _NEW_FILE, 0o600, dir_fd=self.tmp)
            made = os.fstat(self.fd)
            place = os.fstat(self.new)
        except BaseException:
            self.close()
            raise
        self.device = made.st_dev
        self.place = (place.st_dev, place.st_ino)
        self.new_name = names.final(delivery.host, made)

    def write(self, delivery: Delivery, content: Content) -> None:
        _write(self.fd, delivery.head, content, delivery.limit)

    def rename(self) -> None:
        os.rename(self.tmp_name, self.new_name, src_dir_fd=self.tmp, dst_dir_fd=self.new)

    def forget(self, *, renamed: bool = False) -> None:
        """Remove the file again, as far as that is possible."""
        try:
            if renamed:
                os.unlink(self.new_name, dir_fd=self.new)
            else:
                os.unlink(self.tmp_name, dir_fd=self.tmp)
        except OSError:
            pass

    def close(self) -> None:
        for fd in (self.fd, self.tmp, self.new, self.folder):
            if fd >= 0:
                os.close(fd)
        self.fd = self.tmp = self.new = self.folder = -1


def _subfolder(maildir: int, name: str) -> int:
    try:
        return folder.open_subfolder(maildir, name)
    except FileNotFoundError:
        for missing in ("tmp", "new", "cur"):
            folder.make(maildir, missing)
    return folder.open_subfolder(maildir, name)


def _write(fd: int, head: bytes, content: Content, limit: int) -> None:
    size = 0
    for piece in lf_pieces(content):
        data = head + piece
        head = b""
        size += len(data)
        keep_within(size, limit)
        write_all(fd, data)


def deliver_all(batch: Sequence[tuple[Delivery, Content]], names: Names, sync: Callable[[list[int]], None] | None = None) -> list[Result]:  # fmt: skip  # noqa: E501
    """Deliver a batch; the results are in its order.  Each message fails by itself.

    ``sync`` syncs open files and may be replaced in tests.
    """
    results: list[Result] = [DELIVERED] * len(batch)
    files: dict[int, _File] = {}
    for at, (delivery, content) in enumerate(batch):
        try:
            files[at] = _begin(delivery, content, names)
        except (OSError, ValueError, StoreUnavailable) as error:
            results[at] = failure(delivery, error)
    try:
        _finish(files, batch, results, sync or sync_files)
    finally:
        for file in files.values():
            file.close()
    return results


def _begin(delivery: Delivery, content: Content, names: Names) -> _File:
    file = _File(delivery, names)
    try:
        file.write(delivery, content)
    except BaseException:
        file.forget()
        file.close()
        raise
    return file


def _finish(files: dict[int, _File], batch: Sequence[tuple[Delivery, Content]], results: list[Result], sync: Callable[[list[int]], None]) -> None:  # fmt: skip  # noqa: E501
    """Sync what was written, move it to ``new/`` and sync that."""
    if not files:
        return
    try:
        sync([file.fd for file in files.values()])
    except OSError as error:
        for at, file in files.items():
            file.forget()
            results[at] = failure(batch[at][0], error)
        return
    moved: dict[tuple[int, int], list[int]] = {}
    for at, file in files.items():
        try:
            file.rename()
        except OSError as error:
            file.forget()
            results[at] = failure(batch[at][0], error)
        else:
            moved.setdefault(file.place, []).append(at)
    for together in moved.values():
        try:
            os.fsync(files[together[0]].new)
        except OSError as error:
            for at in together:
                files[at].forget(renamed=True)
                results[at] = failure(batch[at][0], error)


def failure(delivery: Delivery, error: Exception) -> Result:
    """Return the result of a delivery that did not succeed: deferred, unless the mailbox is full."""
    if not isinstance(error, OSError):
        status = "4.3.0" if isinstance(error, StoreUnavailable) else "4.3.5"
        return Result(status, f"maildir delivery failed: {error}")
    place = os.fsdecode(delivery.path)
    words = "error writing message" if error.errno in WRITING else f"create maildir file {place}"
    text = f"{words}: {reason_of(error)}"
    warnings: tuple[str, ...] = ()
    if error.errno == errno.EACCES:
        warnings = (
            f"maildir access problem for UID/GID={delivery.uid}/{delivery.gid}: {text}",
            "perhaps you need to create the maildirs in advance",
        )
    return Result(status_of(error), f"maildir delivery failed: {text}", warnings)


def _kernel_reports_errors() -> bool:
    """Whether syncfs(2) reports write errors: Linux 5.8 and later."""
    found = re.match(r"([0-9]+)\.([0-9]+)", os.uname().release)
    return os.uname().sysname == "Linux" and found is not None and (int(found[1]), int(found[2])) >= (5, 8)


_syncfs = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None) if _kernel_reports_errors() else None


def sync_files(fds: list[int]) -> None:
    """Sync open files: each by itself, or their whole file systems when they are many."""
    if len(fds) < SYNC_TOGETHER or _syncfs is None:
        for fd in fds:
            os.fsync(fd)
        return
    for fd in {os.fstat(fd).st_dev: fd for fd in fds}.values():
        if _syncfs(fd) != 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))
