"""A file that is read again when it changes."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from postroad.base.errors import TableUnavailable
from postroad.tables.context import TableContext

T = TypeVar("T")

#: A file changed so shortly ago (seconds) may change again and look the same.
_FRESH = 2.0


class Source(Generic[T]):
    """A file's meaning, kept as long as the file does not change.

    The file is looked at once in ``context.interval`` seconds at most, when it is asked for.  While
    it cannot be read, or ``parse`` refuses it (ValueError), ``get`` raises TableUnavailable: what
    it said before is not taken for what it says now.  ``context.warn`` hears of a file that was good
    before; one that never was shows in the error.
    """

    __slots__ = (
        "_clock",
        "_error",
        "_given",
        "_interval",
        "_known",
        "_next",
        "_parse",
        "_private",
        "_stamp",
        "_value",
        "_warn",
        "path",
    )

    def __init__(self, path: str, parse: Callable[[str], T], context: TableContext) -> None:
        self.path = path
        self._parse = parse
        self._clock = context.clock
        self._warn = context.warn
        self._interval = context.interval
        self._private = context.private
        self._given: bytes | None = None  # what it said last, when we were not let to read it
        self._next = float("-inf")
        self._stamp: tuple[int, int, int] | None = None
        self._value: T | None = None
        self._error = ""
        self._known = False

    def get(self) -> T:
        """Return what the file says now; TableUnavailable when that cannot be known."""
        now = self._clock.steady()
        if now >= self._next:
            self._next = now + self._interval
            self._look()
        if self._error:
            raise TableUnavailable(self._error)
        return self._value  # type: ignore[return-value]

    def _look(self) -> None:
        try:
            status = os.stat(self.path)  # noqa: PTH116 - once a second for each table
            stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
            if stamp == self._stamp:
                return
            fresh = status.st_mtime > self._clock.now() - _FRESH
            self._take(Path(self.path).read_bytes())
        except PermissionError as error:
            self._look_privately(error)
        except OSError as error:
            self._fail(f"open {self.path}: {error.strerror}")
        except ValueError as error:
            self._fail(f"{self.path}: {error}")
        except Exception as error:  # noqa: BLE001 - "could not look", whatever kept us from it
            self._fail(f"{self.path}: {error!r}")
        else:
            self._stamp, self._error, self._known = None if fresh else stamp, "", True

    def _take(self, data: bytes) -> None:
        self._value = self._parse(data.decode("utf-8-sig", "surrogateescape"))

    def _look_privately(self, error: PermissionError) -> None:
        """Take what somebody else has read; it changes when he has read it again, not with the file."""
        self._stamp = None
        data = self._private(self.path)
        if data is None:
            self._fail(f"open {self.path}: {error.strerror}")
        elif data is not self._given or self._error:
            try:
                self._take(data)
            except Exception as bad:  # noqa: BLE001 - "could not look", whatever kept us from it
                self._fail(f"{self.path}: {bad if isinstance(bad, ValueError) else repr(bad)}")
            else:
                self._given, self._error, self._known = data, "", True

    def _fail(self, error: str) -> None:
        self._stamp = None
        self._given = None
        self._value = None
        if self._known and error != self._error:
            self._warn(error)
        self._error = error
