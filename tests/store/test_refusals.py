import json
import threading

import pytest

from postroad.model.explain import Refusal, Trail
from postroad.store.refusals import RefusalFile, file_of, newest, read_refusals


def refusal(number=0, **more):
    given = {
        "time": 1000.0 + number,
        "queue_id": "NOQUEUE",
        "service": "smtp",
        "command": "RCPT",
        "client_address": "192.0.2.1",
        "client_name": "unknown",
        "helo": "x",
        "sender": "a@x.test",
        "recipient": f"{number}@here.test",
        "login": "",
        "reply": "554 5.7.1 no",
        "trail": Trail((("smtpd_recipient_restrictions", 1, "reject"),)),
    }
    return Refusal(**given | more)


@pytest.fixture
def kept(tmp_path):
    """Return a function that makes a worker's file; all are closed in the end."""
    made = []

    def make(size=1 << 20, number=0):
        made.append(RefusalFile(file_of(str(tmp_path), number), size))
        return made[-1]

    yield make
    for each in made:
        each.close()


def test_refusals_are_written_as_lines_of_json(kept, tmp_path):
    file = kept()
    file.note(refusal(1))
    file.note(refusal(2, helo="bad\nname\udcff"))
    assert not file.path.exists()  # nothing before it is its time
    file.close()
    lines = file.path.read_text().splitlines()
    assert [json.loads(line)["recipient"] for line in lines] == ["1@here.test", "2@here.test"]
    assert json.loads(lines[0])["trail"]["path"] == [["smtpd_recipient_restrictions", 1, "reject"]]
    assert file.path.stat().st_mode & 0o777 == 0o600
    assert [each["recipient"] for each in read_refusals(str(tmp_path))] == ["1@here.test", "2@here.test"]


def test_the_files_are_bounded_and_the_newest_stay(kept, tmp_path):
    file = kept(size=10_000)
    for number in range(200):
        file.note(refusal(number))
        file.flush()
    file.close()
    sizes = [path.stat().st_size for path in tmp_path.iterdir()]
    assert len(sizes) == 2
    assert sum(sizes) <= 10_000
    found = [each["recipient"] for each in read_refusals(str(tmp_path))]
    assert found == [f"{number}@here.test" for number in range(200 - len(found), 200)]
    assert len(found) > 10


def test_a_size_of_nothing_keeps_nothing(kept, tmp_path):
    file = kept(size=0)
    file.note(refusal())
    file.close()
    assert list(tmp_path.iterdir()) == []


def test_it_goes_on_after_an_end_and_behind_what_is_there(kept):
    for number in (1, 2):
        file = kept()
        file.note(refusal(number))
        file.close()
        file.note(refusal(number + 10))
        file.close()
    assert len(file.path.read_text().splitlines()) == 4


def test_what_cannot_be_written_is_dropped_and_counted(kept, tmp_path):
    file = kept()
    file.path.mkdir()
    file.note(refusal())
    file.close()
    assert file.lost == 1
    file.path.rmdir()
    file.note(refusal(7))
    file.close()
    assert [each["recipient"] for each in read_refusals(str(tmp_path))] == ["7@here.test"]


def test_a_disk_that_does_not_answer_holds_up_nobody_and_fills_no_memory(kept, monkeypatch):
    file = kept(size=1 << 24)
    gate = threading.Event()
    write = RefusalFile._write
    monkeypatch.setattr(RefusalFile, "_write", lambda self, data: gate.wait(20) and write(self, data))
    for number in range(12_000):
        file.note(refusal(number))
        if not number % 100:
            file.flush()
    assert file.lost == 7_000
    gate.set()
    file.close()
    assert len(file.path.read_text().splitlines()) == 5_000


def test_records_of_all_workers_are_sorted_and_torn_lines_are_left_out(kept, tmp_path):
    for number in (0, 1):
        file = kept(number=number)
        file.note(refusal(5 - number))
        file.close()
    with file.path.open("ab") as end:
        end.write(b'{"time": 12, "queue_id": "NOQ\n[1]\n\xff\n{"no": "time"}\n')
    found = newest(read_refusals(str(tmp_path)), 10)
    assert [each["time"] for each in found] == [1004.0, 1005.0]
    assert [each["time"] for each in newest(read_refusals(str(tmp_path)), 1)] == [1005.0]


def test_no_directory_has_no_records(tmp_path):
    assert list(read_refusals(str(tmp_path / "none"))) == []


def test_a_file_that_cannot_be_read_is_an_error(kept, tmp_path):
    kept().path.mkdir()
    with pytest.raises(OSError, match="directory"):
        list(read_refusals(str(tmp_path)))


def test_more_than_a_file_holds_at_once_leaves_the_newest(kept, tmp_path):
    file = kept(size=4_000)
    for number in range(100):
        file.note(refusal(number))
    file.close()
    assert file.path.stat().st_size <= 2_000
    found = [each["recipient"] for each in read_refusals(str(tmp_path))]
    assert found[-1] == "99@here.test"
    assert 2 <= len(found) < 10


def test_of_a_flood_only_a_part_is_kept(kept, tmp_path):
    file = kept()
    for number in range(1_000):
        file.note(refusal(number))
    assert file.lost == 800
    file.flush()
    file.note(refusal(5_000))
    file.close()
    found = [each["recipient"] for each in read_refusals(str(tmp_path))]
    assert len(found) == 201
    assert found[-1] == "5000@here.test"
