"""Delivery to Maildirs, many at a time: write all, sync, rename all, sync the directories.

A message is in ``new/`` whole and synced, or not at all.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Final

from postroad.base.clock import Clock
from postroad.base.errors import StoreUnavailable
from postroad.delivery.mailbox.files import WRITING, keep_within, write_all
from postroad.delivery.mailbox.filesync import sync_files
from postroad.delivery.mailbox.opened import Maildir, OpenMaildirs
from postroad.delivery.mailbox.request import Delivery, Result, reason_of, status_of
from postroad.delivery.mailbox.text import lf_pieces
from postroad.model.message import Content

DELIVERED: Final = Result("2.0.0", "delivered to maildir")

_NEW_FILE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC

Batch = Sequence[tuple[Delivery, Content]]
Sync = Callable[[Sequence[int], int], dict[int, OSError]]


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


@lru_cache(8)
def _host(name: str) -> str:
    return name.replace("/", "\\057").replace(":", "\\072")


class _File:
    """A message that is written but not yet in ``new/``.  ``error`` says why it will not get there."""

    __slots__ = ("at", "error", "fd", "maildir", "new_name", "tmp_name")

    def __init__(self, at: int, maildir: Maildir, delivery: Delivery, content: Content, names: Names) -> None:
        self.at = at
        self.maildir = maildir
        self.error: OSError | None = None
        self.tmp_name = names.temporary(delivery.host)
        self.fd = os.open(self.tmp_name, _NEW_FILE, 0o600, dir_fd=maildir.tmp)
        try:
            self.new_name = names.final(delivery.host, os.fstat(self.fd))
            _write(self.fd, delivery.head, content, delivery.limit)
        except BaseException:
            _remove(self.tmp_name, maildir.tmp)
            os.close(self.fd)
            raise

    def move(self) -> bool:
        """Move it to ``new/``; False when that failed."""
        maildir = self.maildir
        try:
            os.rename(self.tmp_name, self.new_name, src_dir_fd=maildir.tmp, dst_dir_fd=maildir.new)
        except OSError as error:
            self.fail(error)
            return False
        return True

    def fail(self, error: OSError, *, moved: bool = False) -> None:
        """Note the error and remove the file again, as far as that is possible."""
        self.error = error
        if moved:
            _remove(self.new_name, self.maildir.new)
        else:
            _remove(self.tmp_name, self.maildir.tmp)


def _remove(name: str, place: int) -> None:
    with contextlib.suppress(OSError):
        os.unlink(name, dir_fd=place)


def _write(fd: int, head: bytes, content: Content, limit: int) -> None:
    size = 0
    for piece in lf_pieces(content):
        data = head + piece
        head = b""
        size += len(data)
        keep_within(size, limit)
        write_all(fd, data)


class MaildirWriter:
    """Delivers batches.  Maildirs stay open from one batch to the next, until ``close``.

    ``sync`` syncs open files and may be replaced in tests.
    """

    def __init__(self, clock: Clock, *, sync: Sync = sync_files) -> None:
        self._names = Names(clock)
        self._sync = sync
        self._maildirs = OpenMaildirs()

    def deliver(self, batch: Batch) -> list[Result]:
        """Deliver a batch; the results are in its order.  Each message fails by itself."""
        results: list[Result] = [DELIVERED] * len(batch)
        files: list[_File] = []
        try:
            self._write(batch, files, results)
            for together in _by_device(files):
                self._finish(together)
            for file in files:
                if file.error is not None:
                    results[file.at] = failure(batch[file.at][0], file.error)
        finally:
            for file in files:
                os.close(file.fd)
            self._maildirs.trim()
        return results

    def close(self) -> None:
        """Close what is kept open; the next batch opens what it needs."""
        self._maildirs.close()

    def _write(self, batch: Batch, files: list[_File], results: list[Result]) -> None:
        """Write all into ``tmp/``; what fails gets its result."""
        maildirs: dict[tuple[bytes, bytes], Maildir] = {}  # each is looked for once a batch
        for at, (delivery, content) in enumerate(batch):
            place = (delivery.base, delivery.path)
            try:
                maildir = maildirs.get(place)
                if maildir is None:
                    maildir = maildirs[place] = self._maildirs.get(*place)
                files.append(_File(at, maildir, delivery, content, self._names))
            except (OSError, ValueError, StoreUnavailable) as error:
                results[at] = failure(delivery, error)

    def _finish(self, files: list[_File]) -> None:
        """Sync what was written to one file system, move it to ``new/`` and sync that."""
        whole = files[0].maildir.whole  # open since before the first of them was written
        errors = self._sync([file.fd for file in files], whole)
        moved: dict[Maildir, list[_File]] = {}
        for file in files:
            error = errors.get(file.fd)
            if error is not None:
                file.fail(error)
            elif file.move():
                moved.setdefault(file.maildir, []).append(file)
        errors = self._sync([maildir.new for maildir in moved], whole)
        for maildir, together in moved.items():
            error = errors.get(maildir.new)
            if error is not None:
                for file in together:
                    file.fail(error, moved=True)


def _by_device(files: list[_File]) -> Iterable[list[_File]]:
    devices: dict[int, list[_File]] = {}
    for file in files:
        devices.setdefault(file.maildir.device, []).append(file)
    return devices.values()


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
