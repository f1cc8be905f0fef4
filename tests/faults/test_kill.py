"""SIGKILL at random moments: what was acknowledged is never lost.  More kills: ``kill.py --kills 30``."""

from __future__ import annotations

from pathlib import Path

import pytest

from faults.kill import run

pytestmark = pytest.mark.peer


@pytest.mark.timeout(180)
def test_nothing_acknowledged_is_lost_when_processes_are_killed(place: Path) -> None:
    books = run(place, kills=4, seed=7)
    assert len(books.acknowledged) > 50, "there was no load"
    assert books.lost == []
    assert books.damaged == []
    assert books.wrong == []
    # Twice is what no server can exclude; it must stay the exception.
    assert books.duplicates <= len(books.acknowledged) // 5 + 10
