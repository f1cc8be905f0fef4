"""Instructions are counted exactly: the same each time, and more for more work."""

import pytest
from benchmarks.hot import count as counting
from benchmarks.hot.count import CountError, count, intervals

WORK = """\
import os, sys
def work(rounds):
    seen = {}
    for number in range(rounds):
        seen[f"{number % 7:03d}"] = b"one two".partition(b" ")
work(100)
os.getsid(0)
for rounds in sys.argv[1:]:
    work(int(rounds))
    os.getsid(0)
"""


@pytest.fixture
def program(tmp_path):
    path = tmp_path / "work.py"
    path.write_text(WORK)
    return [str(path)]


def test_the_same_work_is_the_same_number_and_a_fifth_more_is_a_fifth_more(program):
    first, again, more = intervals([*program, "1000", "1000", "1200"])
    assert again == pytest.approx(first, rel=0.01)
    assert more == pytest.approx(first * 1.2, rel=0.01)
    assert intervals([*program, "1000"])[0] == pytest.approx(first, rel=0.01)


def test_the_files_can_be_kept(program, tmp_path):
    keep = tmp_path / "kept"
    (first,) = intervals([*program, "50"], keep)
    assert f"totals: {first}\n" in (keep / "callgrind.out.2").read_text()
    assert intervals([*program, "50"], keep)  # those of the run before are gone
    assert not (keep / "callgrind.out.3").exists()


def test_a_stage_is_what_lies_between_its_two_marks(monkeypatch):
    monkeypatch.setattr(counting, "intervals", lambda _program, _keep: [1000, 77, 3000])
    assert count(["receive", "forward"], 10) == {"receive": 100, "forward": 300}


def test_a_program_that_fails_is_no_count(tmp_path):
    path = tmp_path / "broken.py"
    path.write_text("raise SystemExit('it is broken')\n")
    with pytest.raises(CountError, match="it is broken"):
        intervals([str(path)])


def test_without_valgrind_it_is_said_what_to_install(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(CountError, match="apt-get install valgrind"):
        intervals(["-V"])
