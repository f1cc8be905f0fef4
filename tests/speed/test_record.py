"""What counts as slower, what is said then, and what a new record does to the old one."""

import json

import pytest
from benchmarks.hot.record import REFERENCE, Change, Record, complaint, digest, praise, version


def counted(**stages):
    return {REFERENCE: 1000.0, **stages}


def record(**ratios):
    return Record(digest(), {"3.11": dict(ratios)})


@pytest.mark.parametrize(
    ("after", "slower", "faster"),
    [
        (2.0, False, False),
        (2.29, False, False),
        (2.31, True, False),
        (1.71, False, False),
        (1.69, False, True),
    ],
)
def test_fifteen_in_a_hundred_is_the_bound(after, slower, faster):
    (change,) = record(receive=2.0).changes(counted(receive=after * 1000), "3.11")
    assert (change.slower, change.faster) == (slower, faster)


def test_an_interpreter_that_makes_everything_dearer_changes_nothing():
    (change,) = record(receive=2.0).changes({REFERENCE: 1300.0, "receive": 2600.0}, "3.11")
    assert change.after == 2.0


def test_another_version_is_compared_with_the_nearest_and_less_strictly():
    known = Record(digest(), {"3.11": {"receive": 2.0}, "3.13": {"receive": 4.0}})
    (change,) = known.changes(counted(receive=5100), "3.14")
    assert change.before == 4.0
    assert not change.slower
    (change,) = known.changes(counted(receive=5300), "3.14")
    assert change.slower


def test_what_cannot_be_compared_is_not_passed_over():
    with pytest.raises(LookupError, match="nothing is recorded"):
        Record(digest(), {}).changes(counted(receive=1), "3.11")
    with pytest.raises(LookupError, match="of the stage forward"):
        record(receive=2.0).changes(counted(forward=1), "3.11")
    with pytest.raises(LookupError, match="reference program has changed"):
        Record("another", {"3.11": {"receive": 2.0}}).changes(counted(receive=1), "3.11")


def test_the_complaint_names_the_stage_both_numbers_and_what_to_do():
    text = complaint([Change("receive", 2.0, 2.5, 0.15), Change("forward", 1.0, 1.1, 0.15)])
    assert "receive    2.000 ->   2.500   +25.0 %" in text
    assert "forward" not in text
    assert "--count --keep DIR receive" in text
    assert "--record" in text
    assert complaint([Change("forward", 1.0, 1.1, 0.15)]) == ""


def test_what_became_faster_is_to_be_recorded():
    assert "receive    2.000 ->   1.500   -25.0 %" in praise([Change("receive", 2.0, 1.5, 0.15)])
    assert praise([Change("receive", 2.0, 1.9, 0.15)]) == ""


def test_a_new_record_moves_those_of_other_versions_along():
    known = Record(digest(), {"3.11": {"receive": 2.0}, "3.12": {"receive": 3.0, "whole": 5.0}})
    known.renew(counted(receive=1000, forward=1500), "3.11")
    assert known.ratios == {"3.11": {"receive": 1.0, "forward": 1.5}, "3.12": {"receive": 1.5, "whole": 5.0}}


def test_with_another_reference_nothing_that_was_recorded_stays():
    known = Record("another", {"3.11": {"receive": 2.0}, "3.12": {"receive": 3.0}})
    known.renew(counted(receive=1000), "3.11")
    assert known.reference == digest()
    assert known.ratios == {"3.11": {"receive": 1.0}}


def test_the_file_is_written_and_read(tmp_path):
    path = tmp_path / "record.json"
    assert Record.read(path).ratios == {}
    Record(digest(), {"3.12": {"receive": 2.00049}, "3.9": {"receive": 1.0}}).write(path)
    assert list(json.loads(path.read_text())["ratios"]) == ["3.9", "3.12"]
    assert Record.read(path).ratios == {"3.9": {"receive": 1.0}, "3.12": {"receive": 2.0}}


def test_the_version_is_that_of_this_interpreter():
    assert version().count(".") == 1
