import contextlib
import errno
import os
import zlib

import pytest

from postroad.store import journal as module
from postroad.store.batch import DONE, NEW, encode
from postroad.store.journal import Journal, Reading, keep_aside, kept_aside, open_files, path_of


@pytest.fixture(autouse=True)
def small_files(monkeypatch):
    monkeypatch.setattr(module, "_STEP", 4096)
    monkeypatch.setattr(module, "_SPARE", 0)


@pytest.fixture
def journal(tmp_path):
    made = Journal(tmp_path, 1, 3000)
    yield made
    made.close()


def new(key, content):
    return (NEW, key, 0.0, True, 0, b"envelope", len(content), zlib.crc32(content))


def add(journal, *keys, size=20):
    contents = [b"%d" % key * size for key in keys]
    return journal.append(list(map(new, keys, contents)), contents)


def keys_in(directory, file, *, closely=True):
    with contextlib.closing(Reading(directory, file)) as reading:
        return [entry[1] for entries, _at in reading.batches(closely=closely) for entry in entries]


def damage(path, at):
    with path.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)
        file.seek(at)
        file.write(bytes([byte[0] ^ 4]))


# --- writing


def test_what_was_appended_is_read_where_it_was_said_to_be(journal, tmp_path):
    at = journal.append([new(1, b"one"), new(2, b"second")], [b"one", b"second"])
    assert journal.read(0, at, 3, zlib.crc32(b"one")) == b"one"
    assert journal.read(0, at + 3, 6, zlib.crc32(b"second")) == b"second"
    assert journal.read(0, at + 2, 6, zlib.crc32(b"second")) is None
    assert journal.read(0, 1 << 20, 6, zlib.crc32(b"second")) is None
    add(journal, 3)
    assert keys_in(tmp_path, 0) == [1, 2, 3]


def test_the_files_are_private(journal, tmp_path):
    assert [path_of(tmp_path, file).stat().st_mode & 0o777 for file in (0, 1)] == [0o600, 0o600]


def test_a_batch_may_be_longer_than_a_file_and_have_more_pieces_than_one_write_takes(journal, tmp_path):
    contents = [b"%04d" % n * 3 for n in range(2500)]
    at = journal.append([new(n + 1, content) for n, content in enumerate(contents)], contents)
    assert journal.is_full()
    assert journal.read(0, at + 12 * 2499, 12, zlib.crc32(contents[-1])) == contents[-1]
    assert keys_in(tmp_path, 0) == list(range(1, 2501))


def test_a_short_write_is_finished(journal, tmp_path, monkeypatch):
    writev, write = os.pwritev, os.pwrite
    monkeypatch.setattr(os, "pwritev", lambda fd, pieces, at: writev(fd, [b"".join(pieces)[:7]], at))
    monkeypatch.setattr(os, "pwrite", lambda fd, data, at: write(fd, data[:11], at))
    at = journal.append([new(1, b"content")], [b"content"])
    assert journal.read(0, at, 7, zlib.crc32(b"content")) == b"content"
    assert keys_in(tmp_path, 0) == [1]


def test_disk_space_is_taken_ahead(journal, tmp_path, monkeypatch):
    add(journal, 1)
    assert path_of(tmp_path, 0).stat().st_size == 4096

    def full(fd, offset, size):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    journal.append([(DONE, 1)], [])
    with pytest.raises(OSError, match="No space"):
        add(journal, 2, size=5000)
    assert not journal.is_full(), "nothing was written, so there is nothing to doubt"
    assert keys_in(tmp_path, 0) == [1, 1]


def test_new_messages_leave_room_for_what_is_said_of_them(journal, monkeypatch):
    monkeypatch.setattr(module, "_SPARE", 1000)
    full = [False]
    allocate = os.posix_fallocate

    def limited(fd, offset, size):
        if full[0]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        allocate(fd, offset, size)

    monkeypatch.setattr(os, "posix_fallocate", limited)
    add(journal, 1)
    full[0] = True
    with contextlib.suppress(OSError):
        for key in range(2, 99):
            add(journal, key, size=200)
    for key in range(1, 10):
        journal.append([(DONE, key)], [])


def test_the_other_file_follows_with_a_generation_and_a_salt_of_its_own(journal, tmp_path):
    add(journal, 1)
    assert (journal.file, journal.other, journal.generations()) == (0, 1, {0: 1})
    journal.turn()
    add(journal, 2)
    assert (journal.file, journal.other, journal.generations()) == (1, 0, {0: 1, 1: 2})
    journal.turn()
    add(journal, 3)
    assert (keys_in(tmp_path, 0), keys_in(tmp_path, 1)) == ([3], [2])
    marks = {path_of(tmp_path, file).read_bytes()[16:24] for file in (0, 1)}
    assert len(marks) == 2


def test_a_file_that_is_used_again_shows_nothing_of_its_former_batches(journal, tmp_path):
    for key in range(1, 9):
        add(journal, key)
    journal.turn()
    journal.turn()
    for key in range(
        11, 15
    ):  # batches of the same sizes: the next old one begins where the last new one ends
        add(journal, key)
        assert keys_in(tmp_path, 0) == list(range(11, key + 1))


@pytest.mark.parametrize(("is_salt_known", "read"), [(True, [1, 99]), (False, [1])])
def test_what_a_sender_made_to_look_like_a_batch_is_none(tmp_path, monkeypatch, is_salt_known, read):
    """A content of the former use stands behind the last batch: an old mail with a batch in it."""
    if is_salt_known:
        monkeypatch.setattr(module.secrets, "randbits", lambda bits: 7)
    with contextlib.closing(Journal(tmp_path, 1)) as journal:
        add(journal, 1)
        end = journal._at
    forged = encode(3, 7, 1 << 60, [(DONE, 99)], 0)
    with contextlib.closing(Journal(tmp_path, 1)) as journal:
        begin = journal.append([new(1, b"x" * 100)], [b"x" * 100])
        journal._at = 0
        journal.append([new(1, b"." * (end - begin) + forged)], [b"." * (end - begin) + forged])
        journal.turn()
        journal.turn()
        add(journal, 1)
        assert journal._at == end
    assert path_of(tmp_path, 0).read_bytes()[end:].startswith(forged)
    assert keys_in(tmp_path, 0) == read


@pytest.mark.parametrize("call", ["pwritev", "fdatasync"])
def test_a_batch_that_was_refused_does_not_come_back(journal, tmp_path, monkeypatch, call):
    add(journal, 1)
    with monkeypatch.context() as patch:
        plain = getattr(os, call)

        def fail(*values):
            plain(*values)
            raise OSError(errno.EIO, os.strerror(errno.EIO))

        patch.setattr(os, call, fail)
        with pytest.raises(OSError, match="Input/output"):
            add(journal, 2, size=100)
    assert keys_in(tmp_path, 0) == [1]
    assert journal.is_full(), "another file is to be used"
    add(journal, 3)  # where that is not possible
    assert keys_in(tmp_path, 0) == [1, 3]


def test_removed_files_are_gone(journal, tmp_path):
    add(journal, 1)
    journal.remove()
    journal.remove()
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("file", [0, 1])
def test_a_link_is_not_followed(tmp_path, file):
    (tmp_path / "target").write_bytes(b"precious")
    path_of(tmp_path, file).symlink_to(tmp_path / "target")
    with pytest.raises(OSError, match="symbolic"):
        Journal(tmp_path, 1)
    with pytest.raises(OSError, match="symbolic"):
        open_files(tmp_path, {})
    assert (tmp_path / "target").read_bytes() == b"precious"


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo])
def test_what_is_no_file_is_refused_at_once(tmp_path, make):
    descriptors = set(os.listdir("/proc/self/fd"))
    make(path_of(tmp_path, 1))
    with pytest.raises(OSError, match=r"directory|seek"):
        open_files(tmp_path, {})
    assert set(os.listdir("/proc/self/fd")) == descriptors, "nothing stays open"


# --- reading


def test_a_torn_batch_ends_the_file(journal, tmp_path):
    add(journal, 1)
    at = journal._at
    add(journal, 2)
    whole = path_of(tmp_path, 0).read_bytes()
    for cut in range(at, journal._at - 20):  # contents are not looked at here
        path_of(tmp_path, 0).write_bytes(whole[:cut])
        assert keys_in(tmp_path, 0) == [1]
        path_of(tmp_path, 0).write_bytes(whole[:cut] + bytes(4096))
        assert keys_in(tmp_path, 0) == [1]


def test_an_older_batch_is_no_continuation(journal, tmp_path):
    add(journal, 1)
    add(journal, 2)
    with path_of(tmp_path, 0).open("r+b") as file:
        file.seek(journal._at)
        file.write(encode(journal.generation, journal._salt, 2, [(DONE, 1)], 0))
    assert keys_in(tmp_path, 0) == [1, 2]


def test_behind_a_damaged_batch_the_rest_is_read(journal, tmp_path):
    add(journal, 1)
    begin = journal._at
    add(journal, 2)
    end = journal._at
    add(journal, 3)
    whole = path_of(tmp_path, 0).read_bytes()
    for at in range(begin, end - 20):
        path_of(tmp_path, 0).write_bytes(whole)
        damage(path_of(tmp_path, 0), at)
        with contextlib.closing(Reading(tmp_path, 0)) as reading:
            keys = [entry[1] for entries, _at in reading.batches(closely=True) for entry in entries]
            assert (keys, reading.is_damaged) == ([1, 3], True)
        assert keys_in(tmp_path, 0, closely=False) == [1], "who only looks does not search"


def test_a_file_that_is_as_it_was_written_is_not_damaged(journal, tmp_path):
    for key in range(1, 4):
        add(journal, key)
    with contextlib.closing(Reading(tmp_path, 0)) as reading:
        batches = list(reading.batches(closely=True))
        assert not reading.is_damaged
        assert all(reading.is_whole(*each) for each in batches)


def test_a_damaged_content_is_noticed(journal, tmp_path):
    at = journal.append([new(1, b"one"), new(2, b"second")], [b"one", b"second"])
    damage(path_of(tmp_path, 0), at + 4)
    assert journal.read(0, at, 3, zlib.crc32(b"one")) == b"one"
    assert journal.read(0, at + 3, 6, zlib.crc32(b"second")) is None
    with contextlib.closing(Reading(tmp_path, 0)) as reading:
        (found,) = reading.batches(closely=True)
        assert not reading.is_whole(*found)


def test_files_are_opened_oldest_first_and_only_those_that_count(journal, tmp_path):
    def opened(settled):
        found = open_files(tmp_path, settled)
        for reading in found:
            reading.close()
        return [(reading.file, reading.generation) for reading in found]

    assert opened({}) == []
    add(journal, 1)
    assert opened({}) == [(0, 1)]
    journal.turn()
    add(journal, 2)
    journal.turn()
    add(journal, 3)
    assert opened({}) == [(1, 2), (0, 3)]
    assert opened({0: 1, 1: 1}) == [(1, 2), (0, 3)]
    assert opened({1: 2}) == [(0, 3)]
    assert opened({0: 3, 1: 2}) == []
    path_of(tmp_path, 0).unlink()
    assert opened({}) == [(1, 2)]


def test_a_damaged_file_is_kept_aside(journal, tmp_path):
    assert kept_aside(tmp_path) == []
    keep_aside(tmp_path, 1)
    assert kept_aside(tmp_path) == [tmp_path / "journal-1.damaged"]
    assert not path_of(tmp_path, 1).exists()
