"""What restrictions cost a relayed message: instructions, counted by valgrind, so that no noise is in them.

    python benchmarks/restrictions.py [MESSAGES]

"none" asks nobody anything, which no configuration can bring about: every server has to say who may relay.
"""

from __future__ import annotations

import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

from hot.count import MESSAGES, CountError, intervals, mark
from hot.stages import measured
from hot.worker import run

from postroad.app import build

_TABLE = "".join(f"sender{number}@example.org  REJECT\n" for number in range(1000))
_CHECKS = """\
smtpd_recipient_restrictions = reject_non_fqdn_sender, reject_non_fqdn_recipient,
    reject_unauth_pipelining, check_sender_access hash:{place}/senders
"""
#: By name: further lines of main.cf, None for no policy at all; and how much dearer than none it may be.
LISTS: dict[str, tuple[str | None, float]] = {
    "none": (None, 0),
    "default": ("", 5),
    "three checks and a table": (_CHECKS, 10),
}


class Nothing:
    """A policy that is never asked."""

    stages: frozenset[str] = frozenset()

    def __init__(self, *_arguments: Any, **_more: Any) -> None:
        pass


def work(messages: int, now: Any) -> list[tuple[Any, Any]]:
    """Relay messages under each list; return what ``now()`` gave before and after."""
    found = []
    policy = build.ServicePolicy
    with tempfile.TemporaryDirectory() as place:
        (Path(place) / "senders").write_text(_TABLE)
        for main, _ in LISTS.values():
            build.ServicePolicy = policy if main is not None else Nothing  # type: ignore[misc, assignment]
            try:
                found.append(run(partial(measured, "whole", messages, now), (main or "").format(place=place)))
            finally:
                build.ServicePolicy = policy  # type: ignore[misc]
    return found


def microseconds(messages: int) -> list[float]:
    """Return the CPU time of a message under each list: the best of several rounds."""
    rounds = [
        [(after - before) / messages * 1e6 for before, after in work(messages, time.process_time)]
        for _ in range(5)
    ]
    return [min(column) for column in zip(*rounds, strict=True)]


def main() -> None:
    words = sys.argv[1:]
    if words[:1] == ["--marked"]:
        work(int(words[1]), mark)
        return
    messages = int(words[0]) if words else MESSAGES
    try:
        counted = intervals([__file__, "--marked", str(messages)])[::2]
    except CountError as error:
        sys.exit(str(error))
    spent = microseconds(2000)
    print(f"{'':26} instructions a message   more    may be   CPU us a message   messages a second and core")
    dear = []
    for (name, (_, most)), number, time_ in zip(LISTS.items(), counted, spent, strict=True):
        more = (number / counted[0] - 1) * 100
        if more > most:
            dear.append(name)
        print(
            f"{name:26} {number / messages:22,.0f} {more:5.1f} % {most:7.0f} %"
            f" {time_:18.1f} {1e6 / time_:28,.0f}"
        )
    sys.exit(f"dearer than they may be: {', '.join(dear)}" if dear else 0)


if __name__ == "__main__":
    main()
