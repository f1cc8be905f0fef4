"""The hot path has not become slower.  Instructions are counted, so a busy machine changes nothing."""

import subprocess
import sys
import time
import warnings
from functools import partial
from pathlib import Path

import pytest
from benchmarks.hot.count import PROGRAM, count
from benchmarks.hot.record import REFERENCE, Record, complaint, praise, version
from benchmarks.hot.reference import work
from benchmarks.hot.stages import STAGES, measured
from benchmarks.hot.worker import run


class OldRecordWarning(UserWarning):
    """The hot path is much faster than on record."""


@pytest.mark.timeout(600)
@pytest.mark.filterwarnings("default")
def test_no_stage_costs_more_than_on_record():
    changes = Record.read().changes(count([REFERENCE, *STAGES]), version())
    if said := praise(changes):
        warnings.warn(said, OldRecordWarning, stacklevel=1)
    assert not complaint(changes), complaint(changes)


@pytest.mark.parametrize("stage", STAGES)
def test_each_stage_carries_its_messages(stage):
    before, after = run(partial(measured, stage, 30, time.process_time))
    assert after > before


@pytest.mark.parametrize(("stage", "settled", "left"), [("receive", 0, 90), ("whole", 90, 0)])
def test_what_is_measured_is_what_a_server_does(stage, settled, left):
    async def look(worker):
        await measured(stage, 30, time.process_time, worker)
        assert worker.world.taken == settled
        assert await worker.store.count() == left

    run(look)


def test_the_reference_program_does_the_same_each_time():
    assert work(3) == 3 * work(1)


def test_the_program_prints_microseconds_by_stage():
    command = [sys.executable, PROGRAM, "receive", "40", "--rounds", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(PROGRAM).parent)
    assert done.stdout.startswith("receive")
    assert "us a message" in done.stdout
