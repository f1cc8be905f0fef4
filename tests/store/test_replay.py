import contextlib
import os
import zlib

import pytest

from postroad.store import journal as module
from postroad.store.batch import DONE, NEW, RETRY
from postroad.store.journal import Journal, path_of
from postroad.store.replay import replay


@pytest.fixture
def journal(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_STEP", 4096)
    monkeypatch.setattr(module, "_SPARE", 0)
    made = Journal(tmp_path, 1, 3000)
    yield made
    made.close()


def add(journal, *keys):
    contents = [b"%d" % key * 20 for key in keys]
    entries = [
        (NEW, key, 9.0, True, 0, b"e", len(c), zlib.crc32(c)) for key, c in zip(keys, contents, strict=True)
    ]
    return journal.append(entries, contents)


def found(directory, settled=(), *, closely=True):
    with contextlib.closing(replay(directory, dict(settled), closely=closely)) as replayed:
        return list(replayed.ledger.messages)


def flip(path, at):
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def test_where_no_journal_is_nothing_is_found(tmp_path):
    assert found(tmp_path) == []


def test_both_files_count_and_the_newer_has_the_last_word(journal, tmp_path):
    add(journal, 1, 2, 3)
    journal.turn()
    journal.append([(DONE, 1), (RETRY, 2, 5.0, b"later")], [])
    add(journal, 4)
    with contextlib.closing(replay(tmp_path, {})) as replayed:
        messages = replayed.ledger.messages
        assert {key: (m.due, m.leased) for key, m in messages.items()} == {
            2: (5.0, False),
            3: (9.0, True),
            4: (9.0, True),
        }
        assert replayed.generations == {0: 1, 1: 2}
        assert replayed.damaged() == []
        for key, m in messages.items():
            assert replayed.read(m.file, m.at, m.size, m.checksum) == b"%d" % key * 20


def test_what_is_settled_does_not_count(journal, tmp_path):
    add(journal, 1)
    journal.turn()
    journal.append([(RETRY, 1, 5.0, b"later")], [])
    add(journal, 2)
    assert found(tmp_path, {0: 1}) == [2]
    assert found(tmp_path, {0: 1, 1: 2}) == []


def test_a_last_batch_whose_contents_are_cut_was_not_acknowledged(journal, tmp_path):
    add(journal, 1)
    at = add(journal, 2, 3)
    whole = path_of(tmp_path, 0).read_bytes()
    for cut in range(at, at + 40):
        path_of(tmp_path, 0).write_bytes(whole[:cut])
        assert found(tmp_path) == [1]
        path_of(tmp_path, 0).write_bytes(whole[:cut] + bytes(4096))
        assert found(tmp_path) == [1]
    assert found(tmp_path, closely=False) == [1, 2, 3], "beside a server it is being written"
    path_of(tmp_path, 0).write_bytes(whole)
    assert found(tmp_path) == [1, 2, 3]


@pytest.mark.parametrize("later", ["a batch", "a file"])
def test_a_damaged_content_of_an_older_batch_harms_only_its_message(journal, tmp_path, later):
    at = add(journal, 1, 2)
    if later == "a file":
        journal.turn()
    add(journal, 3)
    flip(path_of(tmp_path, 0), at + 25)
    with contextlib.closing(replay(tmp_path, {})) as replayed:
        contents = {
            key: replayed.read(m.file, m.at, m.size, m.checksum)
            for key, m in replayed.ledger.messages.items()
        }
    assert contents == {1: b"1" * 20, 2: None, 3: b"3" * 20}


def test_a_damaged_batch_is_told_and_harms_no_other(journal, tmp_path):
    add(journal, 1)
    at = add(journal, 2)
    add(journal, 3)
    flip(path_of(tmp_path, 0), at - 1)
    with contextlib.closing(replay(tmp_path, {})) as replayed:
        assert list(replayed.ledger.messages) == [1, 3]
        assert replayed.damaged() == [0]


def test_files_are_closed_when_they_cannot_be_read(journal, tmp_path, monkeypatch):
    add(journal, 1)
    journal.turn()
    add(journal, 2)
    descriptors = set(os.listdir("/proc/self/fd"))
    read = os.pread

    def broken(fd, size, at):
        if at:
            raise OSError(5, "Input/output error")
        return read(fd, size, at)

    monkeypatch.setattr(os, "pread", broken)
    with pytest.raises(OSError, match="Input/output"):
        replay(tmp_path, {})
    assert set(os.listdir("/proc/self/fd")) == descriptors
