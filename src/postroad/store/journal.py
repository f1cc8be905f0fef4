"""The journal: two files that are written in turn, each batch with one write and one sync.

A batch is durable when it is on the disk here; the database hears only of messages that stay.
When a file is full the other is used again from its beginning, after what is still alive in it has
moved to the database, together with the word that the file's old batches no longer count
(``settled``: file -> generation).  So the files are overwritten in place, which spares the file
system's own journal, and a message that goes straight through is written once and never moved.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from postroad.store.batch import (
    HEAD_SIZE,
    Entry,
    Head,
    contents_of,
    decode_entries,
    decode_head,
    encode,
    mark,
)

FILES = (0, 1)
SIZE = 128 << 20  # bytes of one file
_STEP = 4 << 20  # bytes by which a file grows
_SPARE = 1 << 20  # bytes that new messages leave to what is said of them later: tens of thousands of ends
_PIECES = 1000  # of one write; Linux takes 1024


def path_of(directory: Path, file: int) -> Path:
    """Return the path of one of the two files."""
    return directory / f"journal-{file}"


class Journal:
    """The two files, open for writing.  Every method raises OSError when the disk does not obey.

    ``generation`` must be greater than any that was used before.
    """

    def __init__(self, directory: Path, generation: int, size: int = SIZE) -> None:
        self._directory = directory
        self._size = size
        self._fds: list[int] = []
        try:
            for file in FILES:
                flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
                self._fds.append(os.open(path_of(directory, file), flags, 0o600))
            _sync_directory(directory)
        except OSError:
            self.close()
            raise
        self._room = [os.fstat(fd).st_size for fd in self._fds]
        self.file = 0
        self.generation = generation
        self._generations = {0: generation}
        self._salt = secrets.randbits(64)
        self._sequence = 0
        self._at = 0
        self._doubtful = False

    def close(self) -> None:
        """Close the files."""
        while self._fds:
            os.close(self._fds.pop())

    def remove(self) -> None:
        """Remove the files: nothing in them counts any more."""
        for file in FILES:
            path_of(self._directory, file).unlink(missing_ok=True)

    @property
    def other(self) -> int:
        """Return the file that is not being written."""
        return 1 - self.file

    def is_full(self) -> bool:
        """Return whether the other file's turn has come."""
        return self._at >= self._size or self._doubtful

    def turn(self) -> None:
        """Begin with the other file; nothing in it may count any more."""
        self.file = self.other
        self.generation += 1
        self._generations[self.file] = self.generation
        self._salt = secrets.randbits(64)
        self._at = 0
        self._doubtful = False

    def generations(self) -> dict[int, int]:
        """Return the generation that each file that was written has."""
        return dict(self._generations)

    def append(self, entries: Sequence[Entry], contents: Sequence[bytes]) -> int:
        """Write a batch and sync it.  Return where in the file its contents begin."""
        # Counted also when it fails: what a failed write left is then older than what overwrites
        # its beginning, and is not taken for its continuation.
        self._sequence += 1
        size = sum(map(len, contents))
        head = encode(self.generation, self._salt, self._sequence, entries, size)
        fd, at = self._fds[self.file], self._at
        end = at + len(head) + size
        needed = end + _SPARE if size else end
        if needed > self._room[self.file]:
            self._grow(needed)
        try:
            _write(fd, [head, *contents], at)
            os.fdatasync(fd)
        except OSError:
            self._doubtful = True  # what the file has from here on, nobody knows
            with contextlib.suppress(OSError):
                os.pwrite(fd, bytes(HEAD_SIZE), at)  # what was refused must not come back after a crash
            raise
        self._at = end
        return at + len(head)

    def _grow(self, end: int) -> None:
        """Take disk space ahead, so that a message's leaving does not fail for want of it."""
        room = self._room[self.file]
        step = max(_STEP, end - room)
        os.posix_fallocate(self._fds[self.file], room, step)
        self._room[self.file] = room + step

    def read(self, file: int, at: int, size: int, checksum: int) -> bytes | None:
        """Return a content, None when it is not there (any more)."""
        return read_content(self._fds[file], at, size, checksum)


def read_content(fd: int, at: int, size: int, checksum: int) -> bytes | None:
    """Return a content of an open file, None when it is not what was written."""
    data = os.pread(fd, size, at)
    return data if len(data) == size and zlib.crc32(data) == checksum else None


def keep_aside(directory: Path, file: int) -> None:
    """Keep a damaged file for a person to look at."""
    path = path_of(directory, file)
    path.rename(path.with_suffix(".damaged"))


def kept_aside(directory: Path) -> list[Path]:
    """Return the damaged files that were kept."""
    paths = [path_of(directory, file).with_suffix(".damaged") for file in FILES]
    return [path for path in paths if path.exists()]


class Reading:
    """One file of a journal, read from its beginning as far as it makes sense."""

    def __init__(self, directory: Path, file: int) -> None:
        self.file = file
        self.is_damaged = False  # before its end: known when it was read closely
        flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        self.fd = os.open(path_of(directory, file), flags)
        try:
            first = decode_head(os.pread(self.fd, HEAD_SIZE, 0))
        except OSError:
            os.close(self.fd)
            raise
        self.generation, self._salt = (first.generation, first.salt) if first is not None else (0, 0)

    def close(self) -> None:
        """Close the file."""
        os.close(self.fd)

    def batches(self, *, closely: bool) -> Iterator[tuple[list[Entry], int]]:
        """Yield the entries of each batch, and where its contents begin.

        Where no batch is, the file is at its end; who reads ``closely`` makes sure that none follows.
        """
        at = sequence = 0
        while True:
            found = self._batch(at, sequence)
            if found is None and closely and (later := self._later(at, sequence)):
                self.is_damaged = True
                at = later
                found = self._batch(at, sequence)
            if found is None:
                return
            head, entries = found
            yield entries, at + HEAD_SIZE + head.entries
            at += head.size
            sequence = head.sequence

    def _batch(self, at: int, sequence: int) -> tuple[Head, list[Entry]] | None:
        """Return the batch of this use of the file that begins here, None if none does."""
        head = decode_head(os.pread(self.fd, HEAD_SIZE, at))
        if head is None or (head.generation, head.salt) != (self.generation, self._salt):
            return None
        if head.sequence <= sequence:
            return None
        entries = decode_entries(head, os.pread(self.fd, head.entries, at + HEAD_SIZE))
        return None if entries is None else (head, entries)

    def _later(self, after: int, sequence: int) -> int:
        """Return where the next batch behind a damaged place begins, 0 if there is none."""
        rest = os.pread(self.fd, max(0, os.fstat(self.fd).st_size - after), after)
        wanted = mark(self.generation, self._salt)
        place = rest.find(wanted, 1)
        while place >= 0 and self._batch(after + place, sequence) is None:
            place = rest.find(wanted, place + 1)
        return after + place if place >= 0 else 0

    def is_whole(self, entries: Sequence[Entry], at: int) -> bool:
        """Return whether every content of a batch is what was written."""
        return all(
            read_content(self.fd, at + offset, size, checksum) is not None
            for offset, size, checksum in contents_of(entries)
        )


def open_files(directory: Path, settled: Mapping[int, int]) -> list[Reading]:
    """Open the files whose batches count, oldest first.  OSError when one cannot be read."""
    found: list[Reading] = []
    try:
        for file in FILES:
            try:
                reading = Reading(directory, file)
            except FileNotFoundError:
                continue
            if reading.generation > settled.get(file, 0):
                found.append(reading)
            else:
                reading.close()
    except OSError:
        for reading in found:
            reading.close()
        raise
    return sorted(found, key=lambda reading: reading.generation)


def _write(fd: int, pieces: list[bytes], at: int) -> None:
    """Write all pieces; a short write is finished."""
    for begin in range(0, len(pieces), _PIECES):
        part = pieces[begin : begin + _PIECES]
        wanted = sum(map(len, part))
        written = os.pwritev(fd, part, at)
        at += written
        if written < wanted:
            rest = memoryview(b"".join(part))[written:]
            while rest:
                written = os.pwrite(fd, rest, at)
                at += written
                rest = rest[written:]


def _sync_directory(directory: Path) -> None:
    fd = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
