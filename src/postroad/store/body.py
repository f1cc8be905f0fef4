"""Contents that are files: ``bodies/<queue id>``, for messages over ``queue_inline_limit``.

A file is synced, and its directory too, before the transaction that accepts its message; it is
removed after the transaction in which the message leaves.  So a file without a row is rubbish,
and a row without a file does not happen unless somebody removed it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from postroad.base.errors import StoreUnavailable
from postroad.base.ids import id_of, key_of
from postroad.model.message import Content
from postroad.store.change import Change


class UnreadableContent(StoreUnavailable):
    """A content that was to be copied cannot be read.  Trying again would not help."""


class FileContent:
    """A content in a file.  Opened anew by each reader, who may go on when the file is removed."""

    __slots__ = ("path", "size")
    data = None

    def __init__(self, path: str, size: int) -> None:
        self.path = path
        self.size = size

    def pieces(self, size: int = 262144) -> Iterator[bytes]:
        """Yield the text in pieces; StoreUnavailable when it cannot be read or is shorter than it was."""
        left = self.size
        try:
            with open(self.path, "rb", buffering=0) as file:  # noqa: PTH123 - a str, on the way of each message
                while left > 0 and (piece := file.read(min(size, left))):
                    left -= len(piece)
                    yield piece
        except OSError as error:
            raise StoreUnavailable(f"cannot read {self.path}: {error.strerror}") from error
        if left:
            raise StoreUnavailable(f"{self.path} is cut short: {left} bytes are missing")


class FileSpool:
    """A content on its way to its file.  ``abandoned`` is called when it ends without a message."""

    __slots__ = ("_abandoned", "_fd", "_key", "_path", "_size")

    def __init__(self, path: str, key: int, abandoned: Callable[[int], None]) -> None:
        self._path = path
        self._key = key
        self._abandoned = abandoned
        self._size = 0
        self._fd = -1
        try:
            self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except OSError as error:
            abandoned(key)
            raise StoreUnavailable(f"cannot create {path}: {error.strerror}") from error

    def write(self, data: bytes) -> None:
        """Append; a short write is finished.  StoreUnavailable when it cannot be."""
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self._fd, view) :]
        except OSError as error:
            raise StoreUnavailable(f"cannot write {self._path}: {error.strerror}") from error
        self._size += len(data)

    def finish(self) -> Content:
        """Close the file and return its content.  It is not synced yet."""
        os.close(self._fd)
        self._fd = -1
        return FileContent(self._path, self._size)

    def abort(self) -> None:
        """Remove the file."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        self._abandoned(self._key)


class Bodies:
    """The directory of one shard's files, and which messages have one (``keys``)."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(mode=0o700, exist_ok=True)
        self.keys: set[int] = set()
        for name in os.listdir(directory):  # noqa: PTH208 - names are all that is wanted
            try:
                self.keys.add(key_of(name))
            except ValueError:
                continue  # not ours: left alone

    def path(self, key: int) -> str:
        """Return the file's path."""
        return f"{self.directory}/{id_of(key)}"

    def spool(self, key: int) -> FileSpool:
        """Begin a file.  StoreUnavailable when it cannot be created."""
        self.keys.add(key)
        return FileSpool(self.path(key), key, self.remove)

    def take(self, changes: Sequence[Change]) -> None:
        """Make new messages' files durable, what is elsewhere copied first.  OSError, UnreadableContent."""
        for change in changes:
            if change.foreign is not None:
                self._copy(change.key, change.foreign)
        self.sync([change.key for change in changes])

    def _copy(self, key: int, content: Content) -> None:
        self.remove(key)  # a try before this one may have left it
        spool = self.spool(key)
        try:
            for piece in whole(content):
                spool.write(piece)
            spool.finish()
        except BaseException:
            spool.abort()
            raise

    def drop(self, keys: Iterable[int]) -> None:
        """Remove the files of those of these messages that have one."""
        if self.keys:
            for key in keys:
                if key in self.keys:
                    self.remove(key)

    def is_empty(self) -> bool:
        """Return whether no file is left, damaged ones included."""
        return not os.listdir(self.directory)  # noqa: PTH208

    def sync(self, keys: list[int]) -> None:
        """Make files and their names durable.  OSError when that fails: nothing may be promised."""
        for key in keys:
            _sync(self.path(key))
        _sync(str(self.directory))

    def remove(self, key: int) -> None:
        """Remove a file; it may be gone already."""
        self.keys.discard(key)
        try:
            os.unlink(self.path(key))  # noqa: PTH108 - a str, on the way of each message
        except OSError:
            return  # one that stays is purged at the next start

    def purge(self, wanted: set[int]) -> int:
        """Remove the files of messages that are not queued; return how many those were."""
        orphans = self.keys - wanted
        for key in orphans:
            self.remove(key)
        return len(orphans)


def whole(content: Content) -> Iterator[bytes]:
    """Yield a content's pieces; UnreadableContent when it cannot be read or has another size than it says."""
    size = 0
    try:
        for piece in content.pieces():
            size += len(piece)
            yield piece
    except StoreUnavailable as error:
        raise UnreadableContent(str(error)) from error
    if size != content.size:
        raise UnreadableContent(f"a content of {content.size} bytes has {size}")


def _sync(path: str) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
