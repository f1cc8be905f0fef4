"""What was measured, kept as JSON, so that the document can be made again without measuring."""

import json
import statistics
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Results:
    """Everything of one run of the benchmarks."""

    about: dict[str, Any] = field(default_factory=dict)
    machine: dict[str, str] = field(default_factory=dict)
    peers: dict[str, dict[str, str]] = field(default_factory=dict)
    cells: dict[str, str] = field(default_factory=dict)  # what each is, in words
    runs: list[dict[str, Any]] = field(default_factory=list)
    filling: list[dict[str, Any]] = field(default_factory=list)
    latency: list[dict[str, Any]] = field(default_factory=list)
    idle: list[dict[str, Any]] = field(default_factory=list)
    handshakes: list[dict[str, Any]] = field(default_factory=list)
    traces: dict[str, dict[str, Any]] = field(default_factory=dict)

    def values(self, cell: str, peer: str, name: str) -> list[float]:
        return [
            run[name]
            for run in self.runs
            if run["cell"] == cell and run["peer"] == peer and run.get(name) is not None
        ]

    def median(self, cell: str, peer: str, name: str) -> float | None:
        values = self.values(cell, peer, name)
        return statistics.median(values) if values else None

    def ratio(self, cell: str, name: str, peer: str = "postroad", beside: str = "postfix") -> float | None:
        """Return the median of one peer divided by that of another."""
        ours, theirs = self.median(cell, peer, name), self.median(cell, beside, name)
        return ours / theirs if ours is not None and theirs else None

    def again(self, later: "Results") -> None:
        """Take over the loads that were measured again, all servers in turn, in a later run."""
        cells = {run["cell"] for run in later.runs}
        self.runs = [run for run in self.runs if run["cell"] not in cells] + later.runs
        self.cells = later.cells | self.cells
        if later.handshakes:
            self.handshakes = later.handshakes
            cells.add("handshakes")
        self.about["again"] = sorted(cells | set(self.about.get("again", ())))

    def save(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(vars(self), indent=1) + "\n")

    @classmethod
    def load(cls, path: Path) -> "Results":
        return cls(**json.loads(path.read_text()))
