"""Counts the instructions of each stage with valgrind: the same number at every run, on a busy machine too.

The program that is measured calls getsid(2) before and after what counts; callgrind writes what it
has counted so far into a file at each of these calls, and begins anew.
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
PROGRAM = Path(__file__).parent.parent / "hotpath.py"


def mark() -> None:
    """Separate what was counted before from what is counted after."""
    os.getsid(0)


class CountError(Exception):
    """There is no valgrind, or it did not work."""


def count(stages: Sequence[str], messages: int, keep: Path | None = None) -> dict[str, float]:
    """Return the instructions of a message by stage; callgrind's files are kept in ``keep``."""
    valgrind = shutil.which("valgrind")
    if valgrind is None:
        raise CountError("valgrind is needed, which was not found (Debian: apt-get install valgrind)")
    with tempfile.TemporaryDirectory() as temporary:
        place = keep or Path(temporary)
        for old in place.glob("callgrind.out*"):
            old.unlink()
        command = [
            *(valgrind, "-q", "--tool=callgrind", "--dump-before=getsid"),
            f"--callgrind-out-file={place}/callgrind.out",
            *(sys.executable, str(PROGRAM), "--marked", *stages, str(messages)),
        ]
        environment = {**os.environ, "PYTHONHASHSEED": "0", "TZ": "UTC", "LC_ALL": "C"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise CountError(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
        # Two files a stage: what led to its beginning, and itself.
        totals = [_total(place / f"callgrind.out.{2 * number + 2}") for number in range(len(stages))]
    return {stage: total / messages for stage, total in zip(stages, totals, strict=True)}


def _total(path: Path) -> int:
    found = _TOTAL.search(path.read_text())
    if found is None:
        raise CountError(f"callgrind has written no total into {path}")
    return int(found[1])
