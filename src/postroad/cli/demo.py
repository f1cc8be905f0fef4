"""``postroad demo``: the whole journey of a message, shown."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from postroad.base.errors import PostroadError

if TYPE_CHECKING:
    from postroad.admin.journey import Journey, Leg, Trip

_USAGE = """usage: postroad demo [--json]

Sends a message from a client through two servers, which it starts for the purpose on 127.0.0.1, and
shows every dialogue with its times; then a message that is refused, and the bounce that comes back.
Nothing needs to be configured, and nothing is left behind.

  --json  one JSON object instead

The exit status is 0 only if the message arrived byte for byte and the bounce came back.
"""
_TIME_LIMIT = 30.0  # seconds for everything
_COLOURS = {"C": "\033[36m", "S": "\033[32m", "title": "\033[1m", "good": "\033[1;32m", "bad": "\033[1;31m"}
_PLAIN = "\033[0m"


def run(directory: str | None, args: list[str]) -> int:
    """Run the command; 0 if the journey was good, 1 if it was not, 2 for an unknown argument."""
    del directory
    if "--help" in args or "-h" in args:
        print(_USAGE, end="")
        return 0
    unknown = [word for word in args if word != "--json"]
    if unknown:
        print(f"postroad demo: unexpected {unknown[0]}\n{_USAGE}", end="", file=sys.stderr)
        return 2
    from postroad.admin.journey import travel
    from postroad.base.clock import SystemClock

    async def bounded() -> Journey:
        task = asyncio.current_task()
        assert task is not None
        # However it ends, the servers end with it.
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        async with asyncio.timeout(_TIME_LIMIT):
            return await travel(SystemClock())

    try:
        journey = asyncio.run(bounded())
    except asyncio.CancelledError:
        return 128 + signal.SIGTERM
    except (PostroadError, OSError) as error:
        print(f"postroad demo: {str(error) or 'it took too long'}", file=sys.stderr)
        return 1
    sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]
    if "--json" in args:
        import json

        print(json.dumps(as_json(journey), ensure_ascii=False))
    else:
        colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        for line in as_text(journey, colour=colour):
            print(line)
    return 0 if journey.good else 1


def as_text(journey: Journey, *, colour: bool) -> Iterator[str]:
    """Yield the lines that are printed."""
    painter = _Painter(colour=colour)
    first, second = journey.delivered, journey.bounced
    yield painter.paint("title", f"1. A message from {first.sender} to {first.recipient}")
    yield from painter.trip(first)
    yield ""
    yield painter.paint("title", f"The message in the mailbox: {first.place}, {_ms(first, first.arrived)} ms")
    yield from _shown(first.text)
    yield ""
    yield painter.paint(
        "title", f"2. A message from {second.sender} to {second.recipient}, whom nobody knows"
    )
    yield from painter.trip(second)
    yield ""
    yield painter.paint("title", f"The bounce in {second.sender}'s mailbox: {_ms(second, second.arrived)} ms")
    yield from _shown(second.text)
    yield ""
    yield painter.verdict(
        first.good, "The message arrived byte for byte", "The message was CHANGED on its way"
    )
    yield painter.verdict(second.good, "The bounce came back", "What came back is NO bounce")


class _Painter:
    """Lines, coloured or not."""

    def __init__(self, *, colour: bool) -> None:
        self._colour = colour

    def paint(self, what: str, text: str) -> str:
        return f"{_COLOURS[what]}{text}{_PLAIN}" if self._colour else text

    def verdict(self, good: bool, yes: str, no: str) -> str:
        return self.paint("good" if good else "bad", yes if good else no)

    def trip(self, trip: Trip) -> Iterator[str]:
        entry, exchange = trip.legs
        yield from self._leg(trip, entry)
        yield from self._questions(trip)
        yield from self._leg(trip, exchange)

    def _leg(self, trip: Trip, leg: Leg) -> Iterator[str]:
        yield ""
        yield self.paint("title", leg.name.capitalize())
        for line in leg.lines:
            said = self.paint(line.who, f"{line.who}: {_printable(line.text)}")
            yield f"{_ms(trip, line.at):>8} ms  {said}"

    def _questions(self, trip: Trip) -> Iterator[str]:
        yield ""
        yield self.paint("title", "Sending server to DNS")
        for each in trip.questions:
            yield f"{_ms(trip, each.at):>8} ms  {each.name} {each.kind}? {each.answer}"
        if not trip.questions:
            yield "             nothing: the answers are remembered"


def _ms(trip: Trip, at: float) -> str:
    return f"{(at - trip.begun) * 1000:.1f}"


def _shown(text: bytes) -> Iterator[str]:
    for line in text.decode("utf-8", "replace").splitlines():
        yield f"  | {_printable(line)}"


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() or char == "\t" else "?" for char in text)


def as_json(journey: Journey) -> dict[str, Any]:
    """Return everything as one object; times are milliseconds since the trip began."""
    return {
        "ok": journey.good,
        "delivered": _trip_json(journey.delivered),
        "bounced": _trip_json(journey.bounced),
    }


def _trip_json(trip: Trip) -> dict[str, Any]:
    return {
        "ok": trip.good,
        "sender": trip.sender,
        "recipient": trip.recipient,
        "legs": [
            {
                "name": leg.name,
                "lines": [
                    {"ms": float(_ms(trip, line.at)), "from": line.who, "text": line.text}
                    for line in leg.lines
                ],
            }
            for leg in trip.legs
        ],
        "questions": [
            {"ms": float(_ms(trip, each.at)), "name": each.name, "type": each.kind, "answer": each.answer}
            for each in trip.questions
        ],
        "arrived_ms": float(_ms(trip, trip.arrived)),
        "file": trip.place,
        "text": trip.text.decode("utf-8", "replace"),
    }
