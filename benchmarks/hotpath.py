"""What a message costs on its way through one worker, without sockets, by stage.

    python benchmarks/hotpath.py [STAGE ...] [MESSAGES]          microseconds of CPU, best of several
    python benchmarks/hotpath.py --count [STAGE ...] [MESSAGES]  instructions (valgrind): exact, for comparing
    python benchmarks/hotpath.py --check                         fails if the hot path became slower
    python benchmarks/hotpath.py --record                        what it costs now is what it may cost

Noise of the machine, of other programs and of the clock is in the microseconds, not in the instructions.
To compare with other sources, set PYTHONPATH to their src.
"""

from __future__ import annotations

import argparse
import sys
import time
from functools import partial
from pathlib import Path

from hot.count import MESSAGES, CountError, count, mark
from hot.record import REFERENCE, Record, complaint, praise, version
from hot.reference import work
from hot.stages import STAGES, measured
from hot.worker import run

_ROUNDS = 7


def microseconds(stage: str, messages: int, rounds: int) -> float:
    """Return the CPU time of a message: the best of several rounds."""
    best = float("inf")
    for _ in range(rounds):
        before, after = run(partial(measured, stage, messages, time.process_time))
        best = min(best, after - before)
    return best / messages * 1e6


def marked(stage: str, messages: int) -> None:
    """Run a stage between two marks."""
    if stage == REFERENCE:
        work(messages)
        mark()
        work(messages)
        mark()
    else:
        run(partial(measured, stage, messages, mark))


def check() -> None:
    """Compare everything with what is on record; exits with the failure, if it is one."""
    changes = Record.read().changes(count([REFERENCE, *STAGES]), version())
    print(*changes, sep="\n")
    print(praise(changes))
    sys.exit(complaint(changes) or 0)


def renew() -> None:
    """Put what everything costs now on record, and say what has changed."""
    record, counted = Record.read(), count([REFERENCE, *STAGES])
    try:
        print(*record.changes(counted, version()), sep="\n")
    except LookupError as nothing:
        print(nothing)
    record.renew(counted, version())
    record.write()


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", nargs="*", metavar="STAGE|MESSAGES", help=f"of {', '.join(STAGES)}")
    parser.add_argument("--rounds", type=int, default=_ROUNDS, help="of which the best counts")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="callgrind's files, for callgrind_annotate")
    for name in ("count", "check", "record"):
        parser.add_argument(f"--{name}", action="store_true", help="see above")
    parser.add_argument("--marked", action="store_true", help=argparse.SUPPRESS)  # under valgrind
    options = parser.parse_args()
    numbers = [int(word) for word in options.what if word.isdigit()]
    options.stages = [word for word in options.what if not word.isdigit()] or list(STAGES)
    options.messages = numbers[0] if numbers else None
    if unknown := set(options.stages) - {*STAGES, REFERENCE}:
        parser.error(f"no such stage: {', '.join(unknown)}")
    return options


def main() -> None:
    options = arguments()
    try:
        if options.marked:
            for stage in options.stages:
                marked(stage, options.messages)
        elif options.record:
            renew()
        elif options.check:
            check()
        elif options.count:
            counted = count(options.stages, options.messages or MESSAGES, options.keep)
            for stage, instructions in counted.items():
                print(f"{stage:9} {instructions:9,.0f} instructions a message")
        else:
            for stage in options.stages:
                spent = microseconds(stage, options.messages or 2000, options.rounds)
                print(f"{stage:9} {spent:7.1f} us a message", flush=True)
    except (CountError, LookupError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
