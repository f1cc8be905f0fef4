"""A context over a folder of its own, with a clock that stands still and warnings that are kept."""

import random
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from postroad.base.clock import TestClock
from postroad.tables.context import TableContext


@dataclass
class World:
    """Files, a clock and the warnings of the tables that are opened here."""

    folder: Path
    clock: TestClock = field(default_factory=lambda: TestClock(4_000_000_000.0))
    warnings: list[str] = field(default_factory=list)

    def __post_init__(self):
        self.context = TableContext(
            str(self.folder),
            {},
            clock=self.clock,
            warn=self.warnings.append,
            random=random.Random(1),
            environ={"set": "yes"},
        )

    def write(self, name, text):
        """Write a file as an editor does (a new inode), and let a second pass."""
        path = self.folder / name
        fresh = path.with_suffix(".new")
        fresh.write_bytes(text if isinstance(text, bytes) else text.encode())
        fresh.replace(path)
        self.clock.advance(1.5)
        return path


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)
