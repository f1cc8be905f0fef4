"""Maildirs that stay open from one batch to the next, and the proof that they are still what is meant."""

from __future__ import annotations

import os
from collections import OrderedDict
from typing import Final

from postroad.delivery.mailbox import folder
from postroad.delivery.mailbox.filesync import can_sync_whole

#: Maildirs that stay open between batches, two directories each.
MOST_OPEN: Final = 64

Identity = tuple[int, int]  # device and inode


class Maildir:
    """The two directories of a Maildir that a delivery needs, open for reading and syncing.

    ``whole`` is a file by which their file system may be synced as a whole, -1 when it may not.
    """

    __slots__ = ("device", "new", "new_is", "tmp", "tmp_is", "whole")

    def __init__(self, base: bytes, parts: tuple[bytes, ...]) -> None:
        self.tmp = self.new = -1
        place = folder.open_below(base, parts, create=True)
        try:
            self.tmp = _subfolder(place, "tmp")
            self.new = _subfolder(place, "new")
            self.tmp_is = _identity(os.fstat(self.tmp))
            self.new_is = _identity(os.fstat(self.new))
            self.device = self.tmp_is[0]
            self.whole = self.new if can_sync_whole(self.new) else -1
        except BaseException:
            self.close()
            raise
        finally:
            os.close(place)

    def is_at(self, path: bytes) -> bool:
        """Return whether the path leads to what is open."""
        try:
            return _identity_at(path + b"/new") == self.new_is and _identity_at(path + b"/tmp") == self.tmp_is
        except OSError:
            return False  # whoever opens it anew finds out why

    def close(self) -> None:
        """Close both directories."""
        for fd in (self.tmp, self.new):
            if fd >= 0:
                os.close(fd)
        self.tmp = self.new = -1


class OpenMaildirs:
    """The Maildirs that were used last.  For each batch: ``get`` what it needs, ``trim`` at its end."""

    def __init__(self, most: int = MOST_OPEN) -> None:
        self._most = most
        self._open: OrderedDict[bytes, Maildir] = OrderedDict()
        self._replaced: list[Maildir] = []  # files that are under way may still need them

    def get(self, base: bytes, path: bytes) -> Maildir:
        """Return a Maildir, made if it is missing; OSError or ValueError when there is no way to it.

        It stays open until ``trim`` or ``close``, even when it is moved away meanwhile.
        """
        parts = folder.parts_of(path)
        place = b"/".join((base, *parts))
        known = self._open.get(place)
        if known is not None:
            if known.is_at(place):
                self._open.move_to_end(place)
                return known
            self._replaced.append(self._open.pop(place))
        made = self._open[place] = Maildir(base, parts)
        return made

    def trim(self) -> None:
        """Close those that are not needed any more, and those not used for longest if they are too many."""
        while self._replaced:
            self._replaced.pop().close()
        while len(self._open) > self._most:
            self._open.popitem(last=False)[1].close()

    def close(self) -> None:
        """Close all."""
        most, self._most = self._most, 0
        self.trim()
        self._most = most


def _identity_at(path: bytes) -> Identity:
    return _identity(os.stat(path, follow_symlinks=False))  # noqa: PTH116 - bytes, on the way of each batch


def _identity(found: os.stat_result) -> Identity:
    return found.st_dev, found.st_ino


def _subfolder(maildir: int, name: str) -> int:
    try:
        return folder.open_subfolder(maildir, name)
    except FileNotFoundError:
        for missing in ("tmp", "new", "cur"):
            folder.make(maildir, missing)
    return folder.open_subfolder(maildir, name)
