"""What a message costs on its way through one worker, without kernel and disk, by stage.

    python benchmarks/hotpath.py [STAGE ...] [MESSAGES]          microseconds of CPU, best of several
    python benchmarks/hotpath.py --count [STAGE ...] [MESSAGES]  instructions (valgrind): exact, for comparing

Compare a change with what was before it in one go: PYTHONPATH=OTHER/src has the other's stages measured.
Noise of the machine, of other programs and of the clock is in the microseconds, not in the instructions.
"""

from __future__ import annotations

import argparse
import sys
import time
from functools import partial
from pathlib import Path

from hot.count import CountError, count, mark
from hot.stages import STAGES, measured
from hot.worker import run

_ROUNDS = 7
_COUNTED = 200  # messages; more would not change the result by a hundredth


def microseconds(stage: str, messages: int, rounds: int) -> float:
    """Return the CPU time of a message: the best of several rounds."""
    best = float("inf")
    for _ in range(rounds):
        before, after = run(partial(measured, stage, messages, time.process_time))
        best = min(best, after - before)
    return best / messages * 1e6


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", nargs="*", metavar="STAGE|MESSAGES", help=f"of {', '.join(STAGES)}")
    parser.add_argument("--rounds", type=int, default=_ROUNDS, help="of which the best counts")
    parser.add_argument("--count", action="store_true", help="count instructions")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="callgrind's files, for callgrind_annotate")
    parser.add_argument("--marked", action="store_true", help=argparse.SUPPRESS)  # run by --count
    options = parser.parse_args()
    numbers = [int(word) for word in options.what if word.isdigit()]
    options.stages = [word for word in options.what if not word.isdigit()] or list(STAGES)
    options.messages = numbers[0] if numbers else None
    if unknown := set(options.stages) - STAGES.keys():
        parser.error(f"no such stage: {', '.join(unknown)}")
    return options


def main() -> None:
    options = arguments()
    if options.marked:
        for stage in options.stages:
            run(partial(measured, stage, options.messages, mark))
    elif options.count:
        try:
            counted = count(options.stages, options.messages or _COUNTED, options.keep)
        except CountError as error:
            sys.exit(str(error))
        for stage, instructions in counted.items():
            print(f"{stage:8} {instructions:9,.0f} instructions a message")
    else:
        for stage in options.stages:
            spent = microseconds(stage, options.messages or 2000, options.rounds)
            print(f"{stage:8} {spent:7.1f} us a message", flush=True)


if __name__ == "__main__":
    main()
