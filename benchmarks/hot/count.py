"""Counts instructions with valgrind: the same number at every run, on a busy machine too.

The program that is measured calls ``mark`` before and after what counts, a getsid(2) that is good for
nothing else; callgrind writes what it has counted so far into a file at each, and begins anew.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

_TOTAL = re.compile(r"^totals: (\d+)$", re.MULTILINE)
_NAME = "callgrind.out"


PROGRAM = str(Path(__file__).parents[1] / "hotpath.py")
MESSAGES = 200  # more would not change the result by a hundredth


def mark() -> None:
    """Separate what was counted before from what is counted after."""
    os.getsid(0)


class CountError(Exception):
    """There is no valgrind, or it did not work."""


def count(stages: Sequence[str], messages: int = MESSAGES, keep: Path | None = None) -> dict[str, float]:
    """Return the instructions of a message by stage; of the reference program, of a round."""
    # Every other interval is a stage; between them is what leads from one to the next.
    counted = intervals([PROGRAM, "--marked", *stages, str(messages)], keep)[::2]
    return {stage: number / messages for stage, number in zip(stages, counted, strict=True)}


def intervals(program: Sequence[str], keep: Path | None = None) -> list[int]:
    """Return the instructions of a Python program between each two of its marks.

    callgrind's files are kept in ``keep``; that of the first interval is called ``callgrind.out.2``.
    """
    valgrind = shutil.which("valgrind")
    if valgrind is None:
        raise CountError("valgrind is needed, which was not found (Debian: apt-get install valgrind)")
    with tempfile.TemporaryDirectory() as temporary:
        place = keep or Path(temporary)
        place.mkdir(parents=True, exist_ok=True)
        for old in place.glob(f"{_NAME}*"):
            old.unlink()
        command = [
            *(valgrind, "-q", "--tool=callgrind", "--dump-before=getsid"),
            f"--callgrind-out-file={place / _NAME}",
            *(sys.executable, *program),
        ]
        # What differs between machines must not count: the order of sets, the zone, the words of a locale.
        environment = {**os.environ, "PYTHONHASHSEED": "0", "TZ": "UTC", "LC_ALL": "C"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise CountError(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
        files = sorted(place.glob(f"{_NAME}.*"), key=lambda path: int(path.suffix[1:]))
        return [_total(path) for path in files][1:]


def _total(path: Path) -> int:
    found = _TOTAL.search(path.read_text())
    if found is None:
        raise CountError(f"callgrind has written no total into {path}")
    return int(found[1])
