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

    def close(self) -> None:
        """Close the files; nothing can be read any more."""
        for reading in self._readings.values():
            reading.close()


def replay(directory: Path, settled: Mapping[int, int], *, torn: bool = True) -> Replay:
    """Read the batches that count.  OSError when the files cannot be read.

    A crash may have cut the last batch short: it was not acknowledged and is left out.  Whoever reads
    beside a server that writes (not ``torn``) does not look that closely.
    """
    readings = open_files(directory, settled)
    found = Replay(readings)
    try:
        for reading in readings:
            _follow(found.ledger, reading, doubted=torn and reading is readings[-1])
    except BaseException:
        found.close()
        raise
    return found


def _follow(ledger: Ledger, reading: Reading, *, doubted: bool) -> None:
    last: tuple[list[Entry], int] | None = None
    for batch in reading.batches():
        if last is not None:
            ledger.apply(last[0], reading.file, last[1])
        last = batch
    if last is not None and not (doubted and not reading.is_whole(*last)):
        ledger.apply(last[0], reading.file, last[1])
