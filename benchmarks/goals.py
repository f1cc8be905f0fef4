"""The goals, and whether what was measured meets them."""

from dataclasses import dataclass

from benchmarks.results import Results

NOT_MEASURED = "not measured"


@dataclass(frozen=True)
class Goal:
    """What is wanted: ``measured`` at the right side of ``bound``; None if it was not measured."""

    what: str
    wanted: str
    bound: float
    measured: float | None
    text: str
    at_most: bool = False

    @property
    def verdict(self) -> str:
        if self.measured is None:
            return NOT_MEASURED
        met = self.measured <= self.bound if self.at_most else self.measured >= self.bound
        return "met" if met else "**not met**"


def goals(results: Results) -> list[Goal]:
    rates = [
        ("Relay, 10 KiB, 50 sessions: throughput", "relay-10k", 6.0),
        ("Relay, 1 KiB, 50 sessions: throughput", "relay-1k", 8.0),
        ("Accept only, 10 KiB: throughput", "accept-10k", 5.0),
        ("Local Maildir, 10 KiB, synced: throughput", "local-10k", 3.0),
        ("Relay, 10 KiB, one message a connection: throughput", "relay-10k-single", 4.0),
        ("Relay, 1 MiB: throughput", "relay-1m", 1.2),
    ]
    found = [_faster(results, what, cell, bound) for what, cell, bound in rates]
    found[1:1] = [
        _less(results, "Relay, 10 KiB, 50 sessions: CPU a message", "cpu_ms", 7),
        _less(results, "Relay, 10 KiB, 50 sessions: peak memory, shared pages once", "memory", 4),
        _less(results, "The same, shared pages for each process (sum of RSS)", "resident", 4),
    ]
    return [*found, _flat(results), *_deep(results)]


def _faster(results: Results, what: str, cell: str, bound: float) -> Goal:
    ratio = results.ratio(cell, "accepted" if cell.startswith("accept") else "rate")
    text = NOT_MEASURED if ratio is None else f"{ratio:.2f} x"
    return Goal(what, f"at least {bound:g} x Postfix", bound, ratio, text)


def _less(results: Results, what: str, name: str, part: int) -> Goal:
    ratio = results.ratio("relay-10k", name)
    text = NOT_MEASURED if not ratio else f"1/{1 / ratio:.1f}"
    return Goal(what, f"at most 1/{part} of Postfix", 1 / part, ratio, text, at_most=True)


def _flat(results: Results) -> Goal:
    """Compare 200 sessions of 1 MiB with 200 sessions of 10 KiB: a hundred times the content."""
    large = results.median("relay-1m-200", "postroad", "memory")
    small = results.median("relay-10k-200", "postroad", "memory")
    ratio = large / small if large and small else None
    text = NOT_MEASURED if ratio is None else f"{ratio:.2f} x"
    what = "200 sessions of 1 MiB: peak memory"
    return Goal(what, "at most 1.5 x that of 10 KiB (flat)", 1.5, ratio, text, at_most=True)


def _deep(results: Results) -> list[Goal]:
    deep, empty = (results.median(f"depth-{level}", "postroad", "rate") for level in (1_000_000, 0))
    ratio = deep / empty if deep and empty else None
    start = results.median("depth-1000000", "postroad", "start")
    listing = results.median("depth-1000000", "postroad", "listing")
    depth = "1,000,000 deferred messages in the queue"
    return [
        Goal(
            f"{depth}: throughput",
            "at least 0.9 x that of an empty queue",
            0.9,
            ratio,
            NOT_MEASURED if ratio is None else f"{ratio:.2f} x",
        ),
        Goal(f"{depth}: from start to first 250", "at most 5 s", 5.0, start, _seconds(start), at_most=True),
        Goal(
            f"{depth}: `postqueue -p \\| head`", "at most 1 s", 1.0, listing, _seconds(listing), at_most=True
        ),
    ]


def _seconds(value: float | None) -> str:
    return NOT_MEASURED if value is None else f"{value:.2f} s"
