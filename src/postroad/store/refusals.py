"""Why clients were refused, kept for ``postroad trace``: JSON lines in two files that are written in turn.

What cannot be written, and most of a flood, is dropped and counted: mail waits for none of it, and nothing
is synced.
"""

from __future__ import annotations

import json
import os
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Final

from postroad.model.explain import Refusal, Trail

#: Refusals between two flushes.  To write one costs as much as to refuse, and who is refused a thousand
#: times is refused for the same few reasons.
_AT_ONCE: Final = 200
#: Refusals that may wait for the disk.
_WAITING: Final = 5000
_OLD: Final = ".1"
_encode: Final = json.JSONEncoder(check_circular=False).encode
#: Seconds that an end waits for a disk that does not answer.
_PATIENCE: Final = 3.0


class RefusalFile:
    """One worker's: two files of half of ``size`` bytes each, the newer and the older; 0 keeps nothing.

    ``note`` costs the caller an append, and ``flush`` a turn of a lock; a thread writes.
    """

    def __init__(self, path: Path, size: int) -> None:
        self.path = path
        self.size = size
        self.lost = 0
        self._noted: list[Refusal] = []
        self._work: SimpleQueue[list[Refusal] | None] = SimpleQueue()
        self._given = self._done = 0  # refusals; the second is the thread's to count
        self._thread: threading.Thread | None = None

    def note(self, refusal: Refusal) -> None:
        """Take a refusal, which is written with the next ``flush``; in a flood, only some of them."""
        noted = len(self._noted)
        if noted < _AT_ONCE and self._given - self._done + noted < _WAITING:
            self._noted.append(refusal)
        else:
            self.lost += 1

    def flush(self) -> None:
        """Have written what has gathered."""
        if not self._noted:
            return
        noted, self._noted = self._noted, []
        if not self.size:
            return
        self._given += len(noted)
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="refusals", daemon=True)
            self._thread.start()
        self._work.put(noted)

    def close(self) -> None:
        """Write what there is, and end."""
        self.flush()
        if self._thread is not None:
            self._work.put(None)
            self._thread.join(_PATIENCE)
            self._thread = None

    # --- in the thread

    def _run(self) -> None:
        while (noted := self._work.get()) is not None:
            try:
                self._write("".join(f"{_encode(_values(each))}\n" for each in noted).encode())
            except (OSError, ValueError):
                self.lost += len(noted)
            self._done += len(noted)

    def _write(self, data: bytes) -> None:
        most = self.size // 2
        if len(data) > most:  # the newest of them
            data = data[data.find(b"\n", len(data) - most - 1) + 1 :]
        fd = self._open()
        try:
            if os.fstat(fd).st_size + len(data) > most:
                os.replace(self.path, f"{self.path}{_OLD}")  # noqa: PTH105
                os.close(fd)
                fd = -1
                fd = self._open()
            while data:
                data = data[os.write(fd, data) :]
        finally:
            if fd >= 0:
                os.close(fd)

    def _open(self) -> int:
        return os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _values(value: Refusal | Trail) -> dict[str, Any]:
    """Return a value as JSON has it.  Not by ``asdict``: a flood of refusals has this in every one."""
    found = {name: getattr(value, name) for name in value.__slots__}
    for name in ("trail", "behind"):
        if found.get(name) is not None:
            found[name] = _values(found[name])
    return found


def file_of(data_directory: str, number: int) -> Path:
    """Return where a worker's refusals are."""
    return Path(data_directory) / f"refusals-{number}.jsonl"


def read_refusals(data_directory: str) -> Iterator[dict[str, Any]]:
    """Yield the refusals of all workers, the newest of each last.

    OSError when a file that is there cannot be read; what is no whole record is left out.
    """
    directory = Path(data_directory)
    for path in sorted(directory.glob("refusals-*.jsonl")):
        old = Path(f"{path}{_OLD}")
        for each in (old, path) if old.exists() else (path,):
            yield from _records(each.read_bytes().splitlines())


def _records(lines: Sequence[bytes]) -> Iterator[dict[str, Any]]:
    for line in lines:
        try:
            record = json.loads(line)
        except ValueError:
            continue  # a crash has cut it
        if isinstance(record, dict) and "time" in record:
            yield record


def newest(records: Iterator[dict[str, Any]], most: int) -> list[dict[str, Any]]:
    """Return at most so many records, in order of time, the newest last."""
    kept: deque[dict[str, Any]] = deque(sorted(records, key=lambda each: float(each["time"])), maxlen=most)
    return list(kept)
