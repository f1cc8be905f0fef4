"""Bytes on their way to somebody who may be slow: a few in memory, all others in a file without a name."""

from __future__ import annotations

import tempfile
from collections import deque
from typing import IO

_MEMORY = 1 << 18
PIECE = 1 << 16


class Outbox:
    """First in, first out.  ``directory`` is where the file is made.  OSError when that fails."""

    __slots__ = ("_directory", "_file", "_read", "_size", "_small", "_written")

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._small: deque[bytes] = deque()
        self._size = 0
        self._file: IO[bytes] | None = None
        self._read = self._written = 0

    def __bool__(self) -> bool:
        return bool(self._small) or self._read < self._written

    def put(self, data: bytes) -> None:
        """Take bytes."""
        if not data:
            return
        if self._read == self._written and self._size + len(data) <= _MEMORY:
            self._small.append(data)
            self._size += len(data)
            return
        if self._file is None:
            self._file = tempfile.TemporaryFile(dir=self._directory, buffering=0)  # noqa: SIM115 - see close
        if self._read == self._written:
            self._file.truncate(0)
            self._read = self._written = 0
        self._file.seek(self._written)
        view = memoryview(data)
        while view:
            view = view[self._file.write(view) :]
        self._written += len(data)

    def take(self) -> bytes:
        """Give the next bytes back, b"" when there are none."""
        if self._small:
            data = self._small.popleft()
            self._size -= len(data)
            return data
        if self._file is None or self._read == self._written:
            return b""
        self._file.seek(self._read)
        data = self._file.read(min(PIECE, self._written - self._read))
        if not data:
            raise OSError("the file became shorter")
        self._read += len(data)
        return data

    def close(self) -> None:
        """Forget everything."""
        self._small.clear()
        self._size = self._read = self._written = 0
        if self._file is not None:
            self._file.close()
            self._file = None
