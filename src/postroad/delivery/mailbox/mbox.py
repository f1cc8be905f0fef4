"""Delivery to mailbox files (mbox): lock, append, sync; on failure back to the old length."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from postroad.base.clock import Clock
from postroad.base.errors import StoreUnavailable
from postroad.delivery.mailbox import folder
from postroad.delivery.mailbox.files import WRITING, keep_within, write_all
from postroad.delivery.mailbox.request import Delivery, Locking, Result, reason_of, status_of
from postroad.delivery.mailbox.text import lf_pieces
from postroad.model.message import Content

DELIVERED: Final = Result("2.0.0", "delivered to mailbox")
METHODS: Final = ("fcntl", "flock", "dotlock")

#: Non-blocking: what looks like a mailbox may be a FIFO or a device.
_OPEN: Final = os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_LOCK_FILE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC

Sleep = Callable[[float], None]


class _Refused(Exception):  # noqa: N818 - an outcome, not a defect
    """The delivery ends here with a result."""

    def __init__(self, status: str, text: str, *warnings: str) -> None:
        super().__init__(text)
        self.status = status
        self.warnings = warnings


def deliver(delivery: Delivery, content: Content, clock: Clock, sleep: Sleep) -> Result:
    """Append one message to the mailbox file; waits for its lock by ``sleep`` (seconds)."""
    name = os.fsdecode(delivery.base.rstrip(b"/") + b"/" + delivery.path)
    try:
        *parents, last = folder.parts_of(delivery.path)
        place = folder.open_below(delivery.base, tuple(parents), create=False)
        try:
            _deliver_in(place, last, delivery, content, clock, sleep, name)
        finally:
            os.close(place)
    except _Refused as refused:
        return Result(refused.status, f"delivery failed to mailbox {name}: {refused}", refused.warnings)
    except OSError as error:
        words = "error writing message" if error.errno in WRITING else "cannot open file"
        return Result(status_of(error), f"delivery failed to mailbox {name}: {words}: {reason_of(error)}")
    except StoreUnavailable as error:
        return Result("4.3.0", f"delivery failed to mailbox {name}: error reading message: {error}")
    except ValueError as error:
        return Result("4.3.5", f"delivery failed to mailbox {name}: {error}")
    return DELIVERED


def _deliver_in(place: int, last: bytes, delivery: Delivery, content: Content, clock: Clock, sleep: Sleep, name: str) -> None:  # fmt: skip  # noqa: E501
    fd, made = _open(place, last)
    try:
        _check(os.fstat(fd), delivery, name)
        with (
            _dot_lock(place, f"{name}.lock", delivery.locking, clock, sleep),
            _file_lock(fd, delivery.locking, sleep),
        ):
            # The mailbox may have been replaced while its lock was waited for.
            if os.fstat(fd).st_nlink != 1:
                raise _Refused("4.2.0", "target file status changed unexpectedly")
            _append(fd, delivery, content)
        if made:
            folder.sync(place)
    finally:
        os.close(fd)


def _open(place: int, last: bytes) -> tuple[int, bool]:
    """Open the mailbox; True when it was made."""
    try:
        return os.open(last, _OPEN, dir_fd=place), False
    except FileNotFoundError:
        try:
            return os.open(last, _OPEN | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=place), True
        except FileExistsError:
            return os.open(last, _OPEN, dir_fd=place), False


def _check(found: os.stat_result, delivery: Delivery, name: str) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise _Refused(
            "5.3.5",
            "mail system configuration error",
            f"destination {name} is not a regular file",
        )
    if found.st_nlink != 1:
        raise _Refused("4.2.0", f"file has {found.st_nlink} hard links")
    if delivery.strict_owner and found.st_uid != delivery.uid:
        raise _Refused(
            "4.2.0",
            f"destination {name} is not owned by recipient",
            'specify "strict_mailbox_ownership = no" to ignore mailbox ownership mismatch',
        )


def _append(fd: int, delivery: Delivery, content: Content) -> None:
    before = os.fstat(fd).st_size
    size = before
    head = delivery.from_line + delivery.head
    try:
        for piece in lf_pieces(content, quote_from=True):
            data = head + piece
            head = b""
            size += len(data)
            keep_within(size + 1, delivery.limit)
            write_all(fd, data)
        write_all(fd, b"\n")
        os.fsync(fd)
    except BaseException:
        os.ftruncate(fd, before)
        raise


@contextmanager
def _dot_lock(place: int, path: str, locking: Locking, clock: Clock, sleep: Sleep) -> Iterator[None]:
    if "dotlock" not in locking.methods:
        yield
        return
    name = os.path.basename(path)  # noqa: PTH119 - text
    for attempt in range(locking.attempts):
        try:
            os.close(os.open(name, _LOCK_FILE, 0o600, dir_fd=place))
            break
        except FileExistsError as error:
            if attempt + 1 == locking.attempts:
                raise _Refused("4.2.0", f"unable to create lock file {path}: {reason_of(error)}") from error
        except OSError as error:
            raise _Refused(
                status_of(error), f"unable to create lock file {path}: {reason_of(error)}"
            ) from error
        if not _removed_stale(place, name, locking, clock):
            sleep(locking.delay)
    try:
        yield
    finally:
        os.unlink(name, dir_fd=place)


def _removed_stale(place: int, name: str, locking: Locking, clock: Clock) -> bool:
    try:
        found = os.stat(name, dir_fd=place, follow_symlinks=False)
        if clock.now() - found.st_mtime <= locking.stale:
            return False
        os.unlink(name, dir_fd=place)
    except FileNotFoundError:
        pass
    return True


@contextmanager
def _file_lock(fd: int, locking: Locking, sleep: Sleep) -> Iterator[None]:
    takers = [
        taker for name, taker in (("flock", fcntl.flock), ("fcntl", fcntl.lockf)) if name in locking.methods
    ]
    for take in takers:
        for attempt in range(locking.attempts):
            try:
                take(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError as error:
                if error.errno not in (errno.EAGAIN, errno.EACCES) or attempt + 1 == locking.attempts:
                    words = f"unable to lock for exclusive access: {reason_of(error)}"
                    raise _Refused(status_of(error), words) from error
            sleep(locking.delay)
    yield  # both locks end when the file is closed
