"""What the stages cost when that was last written down, and whether they have become slower since.

A cost is a ratio: the instructions of a message, divided by those of the reference program in the same
run.  So it hardly depends on the machine, on what else runs there, or on how Python was built.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

REFERENCE = "reference"  # the name of the reference program among the stages
RECORD = Path(__file__).parents[2] / "tests/speed/hotpath.json"
#: How much slower a stage may become, and how much faster before the record is out of date.
_BOUND = 0.15
#: The same where nothing was recorded with this version of Python: the reference follows it less exactly.
_BOUND_OF_OTHERS = 0.30


def version() -> str:
    """Return the version of Python that counts."""
    return ".".join(platform.python_version_tuple()[:2])


@dataclass(frozen=True)
class Change:
    """A stage, what it cost, what it costs: in units of the reference program."""

    stage: str
    before: float
    after: float
    bound: float

    @property
    def slower(self) -> bool:
        """Whether it became slower than may be."""
        return self.after > self.before * (1 + self.bound)

    @property
    def faster(self) -> bool:
        """Whether it became so much faster that the record guards it no more."""
        return self.after < self.before * (1 - self.bound)

    def __str__(self) -> str:
        percent = (self.after / self.before - 1) * 100
        return f"{self.stage:8} {self.before:7.3f} -> {self.after:7.3f}  {percent:+6.1f} %"


def complaint(changes: Iterable[Change]) -> str:
    """Return what is to be said about stages that became slower, "" if there are none."""
    slower = [change for change in changes if change.slower]
    if not slower:
        return ""
    names = " ".join(change.stage for change in slower)
    return f"""\
The hot path has become slower (instructions of a message, in units of the reference program):
{_lines(slower)}
See what costs: python benchmarks/hotpath.py --count --keep DIR {names}; callgrind_annotate DIR/*.2
If that is its price: python benchmarks/hotpath.py --record, and say in the commit what for."""


def praise(changes: Iterable[Change]) -> str:
    """Return what is to be said about stages that are no more guarded by what is on record."""
    faster = [change for change in changes if change.faster]
    if not faster:
        return ""
    return f"""\
The hot path is faster than on record, so it could become slower again unseen:
{_lines(faster)}
Record it: python benchmarks/hotpath.py --record"""


def _lines(changes: Iterable[Change]) -> str:
    return "\n".join(f"    {change}" for change in changes)


class Record:
    """The ratios by version of Python and stage.

    ``reference`` is a digest of the reference program: with another one, no ratio would mean anything.
    """

    def __init__(self, reference: str, ratios: dict[str, dict[str, float]]) -> None:
        self.reference = reference
        self.ratios = ratios

    @classmethod
    def read(cls, path: Path = RECORD) -> Record:
        """Read the file; an absent one is an empty record."""
        if not path.exists():
            return cls(digest(), {})
        content = json.loads(path.read_text())
        return cls(content["reference"], content["ratios"])

    def write(self, path: Path = RECORD) -> None:
        """Write the file."""
        ratios = {
            version: {stage: round(ratio, 3) for stage, ratio in stages.items()}
            for version, stages in sorted(self.ratios.items(), key=lambda item: _order(item[0]))
        }
        path.write_text(json.dumps({"reference": self.reference, "ratios": ratios}, indent=2) + "\n")

    def changes(self, counted: Mapping[str, float], version: str) -> list[Change]:
        """Return how each stage has changed; LookupError when there is nothing to compare with."""
        if self.reference != digest():
            raise LookupError("the reference program has changed, so nothing can be compared")
        known = self._nearest(version)
        bound = _BOUND if known == version else _BOUND_OF_OTHERS
        changes = []
        for stage, ratio in ratios(counted).items():
            if stage not in self.ratios[known]:
                raise LookupError(f"nothing is recorded of the stage {stage}")
            changes.append(Change(stage, self.ratios[known][stage], ratio, bound))
        return changes

    def renew(self, counted: Mapping[str, float], version: str) -> None:
        """Record what was counted.

        What other versions of Python have on record changes by as much as this one's does: the code
        has become slower or faster for them, too.
        """
        if self.reference != digest():
            self.reference, self.ratios = digest(), {}
        new, old = ratios(counted), self.ratios.pop(version, {})
        for others in self.ratios.values():
            for stage in others.keys() & new.keys() & old.keys():
                others[stage] *= new[stage] / old[stage]
        self.ratios[version] = {**old, **new}

    def _nearest(self, version: str) -> str:
        if not self.ratios:
            raise LookupError("nothing is recorded")
        major, minor = _order(version)

        def distance(known: str) -> tuple[int, int]:
            its_major, its_minor = _order(known)
            return abs(its_major - major), abs(its_minor - minor)

        return min(self.ratios, key=distance)


def ratios(counted: Mapping[str, float]) -> dict[str, float]:
    """Divide what the stages cost by what the reference program costs."""
    unit = counted[REFERENCE]
    return {stage: instructions / unit for stage, instructions in counted.items() if stage != REFERENCE}


def digest() -> str:
    """Return a digest of the reference program."""
    return sha256((Path(__file__).parent / "reference.py").read_bytes()).hexdigest()[:16]


def _order(version: str) -> tuple[int, int]:
    major, _, minor = version.partition(".")
    return int(major), int(minor)
