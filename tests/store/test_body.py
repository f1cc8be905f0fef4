import errno
import os

import pytest

from postroad.base.errors import StoreUnavailable
from postroad.base.ids import id_of
from postroad.store.body import Bodies, FileContent


@pytest.fixture
def bodies(tmp_path):
    return Bodies(tmp_path / "bodies")


def test_a_spool_becomes_a_file_that_is_private(bodies, tmp_path):
    spool = bodies.spool(7)
    spool.write(b"one ")
    spool.write(b"two")
    content = spool.finish()
    assert content.size == 7
    assert content.data is None
    assert b"".join(content.pieces(3)) == b"one two"
    assert (tmp_path / "bodies" / id_of(7)).stat().st_mode & 0o777 == 0o600
    assert bodies.keys == {7}


def test_an_aborted_spool_leaves_no_file_finished_or_not(bodies):
    bodies.spool(7).abort()
    finished = bodies.spool(8)
    finished.finish()
    finished.abort()
    assert os.listdir(bodies.directory) == []
    assert bodies.keys == set()


def test_a_file_that_is_there_is_not_overwritten(bodies):
    (bodies.directory / id_of(7)).write_bytes(b"other")
    with pytest.raises(StoreUnavailable):
        bodies.spool(7)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EDQUOT])
def test_a_write_that_fails_says_so(bodies, monkeypatch, number):
    spool = bodies.spool(7)

    def fail(fd, data):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "write", fail)
    with pytest.raises(StoreUnavailable, match=os.strerror(number)):
        spool.write(b"x")
    monkeypatch.undo()
    spool.abort()
    assert os.listdir(bodies.directory) == []


def test_a_short_write_is_finished(bodies, monkeypatch):
    write = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: write(fd, data[:3]))
    spool = bodies.spool(7)
    spool.write(b"0123456789")
    assert b"".join(spool.finish().pieces()) == b"0123456789"


def test_a_content_without_its_file_or_cut_short_cannot_be_read(bodies, tmp_path):
    with pytest.raises(StoreUnavailable):
        list(FileContent(str(tmp_path / "none"), 5).pieces())
    (tmp_path / "cut").write_bytes(b"123")
    with pytest.raises(StoreUnavailable, match="2 bytes are missing"):
        list(FileContent(str(tmp_path / "cut"), 5).pieces())


def test_a_reader_goes_on_when_the_file_is_removed(bodies):
    spool = bodies.spool(7)
    spool.write(b"x" * 10)
    pieces = spool.finish().pieces(4)
    assert next(pieces) == b"xxxx"
    bodies.remove(7)
    assert b"".join(pieces) == b"x" * 6


def test_removing_what_is_gone_is_no_error(bodies):
    bodies.remove(99)


def test_orphans_are_purged_and_other_names_left_alone(bodies):
    for key in (1, 2):
        bodies.spool(key).finish()
    (bodies.directory / "notes.txt").write_text("a person's")
    again = Bodies(bodies.directory)
    assert again.keys == {1, 2}
    assert again.purge({2, 3}) == 1
    assert sorted(os.listdir(bodies.directory)) == [id_of(2), "notes.txt"]


def test_syncing_a_file_that_is_gone_promises_nothing(bodies):
    with pytest.raises(OSError, match="No such file"):
        bodies.sync([5])
