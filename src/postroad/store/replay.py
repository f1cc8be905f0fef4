"""The journal read again: by a start after a crash, and by those who look at the queue."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from postroad.store.batch import Entry
from postroad.store.journal import Reading, open_files, read_content
from postroad.store.ledger import Ledger


class Replay:
    """What the journal held when it was read.  ``generations`` are those of the files that were read."""

    def __init__(self, readings: list[Reading]) -> None:
        self.ledger = Ledger()
        self._readings = {reading.file: reading for reading in readings}
        self.generations = {reading.file: reading.generation for reading in readings}

    def read(self, file: int, at: int, size: int, checksum: int) -> bytes | None:
        """Return a content, None when it is not there or damaged."""
        return read_content(self._readings[file].fd, at, size, checksum)

    def damaged(self) -> list[int]:
        """Return the files that are damaged between batches."""
        return [file for file, reading in self._readings.items() if reading.is_damaged]

    def close(self) -> None:
        """Close the files; nothing can be read any more."""
        for reading in self._readings.values():
            reading.close()


def replay(directory: Path, settled: Mapping[int, int], *, closely: bool = True) -> Replay:
    """Read the batches that count.  OSError when the files cannot be read.

    A crash may have cut the last batch short: it was not acknowledged and is left out.  Behind a damaged
    place what follows counts.  Whoever reads beside a server that writes does not look that ``closely``.
    """
    readings = open_files(directory, settled)
    found = Replay(readings)
    try:
        for reading in readings:
            _follow(found.ledger, reading, closely=closely, last=reading is readings[-1])
    except BaseException:
        found.close()
        raise
    return found


def _follow(ledger: Ledger, reading: Reading, *, closely: bool, last: bool) -> None:
    newest: tuple[list[Entry], int] | None = None
    for batch in reading.batches(closely=closely):
        if newest is not None:
            ledger.apply(newest[0], reading.file, newest[1])
        newest = batch
    if newest is not None and (not (closely and last) or reading.is_whole(*newest)):
        ledger.apply(newest[0], reading.file, newest[1])
