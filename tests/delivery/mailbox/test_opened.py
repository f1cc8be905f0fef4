"""What stays open is what the path leads to, or it is opened anew."""

from __future__ import annotations

import os

import pytest

from postroad.delivery.mailbox.opened import OpenMaildirs


def count():
    return len(os.listdir("/proc/self/fd"))


@pytest.fixture
def here(base):
    return os.fsencode(base)


@pytest.fixture
def maildirs():
    made = OpenMaildirs(most=2)
    yield made
    made.close()


def test_a_maildir_stays_open(maildirs, here):
    first = maildirs.get(here, b"a/")
    maildirs.trim()
    assert maildirs.get(here, b"./a//") is first
    assert os.path.samestat(os.fstat(first.new), os.stat(here + b"/a/new"))
    assert os.path.samestat(os.fstat(first.tmp), os.stat(here + b"/a/tmp"))


def test_what_is_missing_is_made_for_the_owner_alone(maildirs, here, base):
    maildirs.get(here, b"a/b/")
    assert sorted(entry.name for entry in (base / "a/b").iterdir()) == ["cur", "new", "tmp"]
    assert {(base / "a/b" / name).stat().st_mode & 0o777 for name in (".", "cur", "new", "tmp")} == {0o700}


@pytest.mark.parametrize("moved", ["a", "a/new", "a/tmp"])
def test_one_that_was_moved_away_is_opened_anew(maildirs, here, base, tmp_path, moved):
    first = maildirs.get(here, b"a/")
    (base / moved).rename(tmp_path / "aside")
    second = maildirs.get(here, b"a/")
    assert second is not first
    os.fstat(first.new)  # files under way may need it until the end of the batch
    assert os.path.samestat(os.fstat(second.new), os.stat(here + b"/a/new"))
    assert os.path.samestat(os.fstat(second.tmp), os.stat(here + b"/a/tmp"))
    before = count()
    maildirs.trim()
    assert count() == before - 2


@pytest.mark.parametrize("linked", ["a", "a/new", "a/tmp"])
def test_a_link_in_its_place_is_refused(maildirs, here, base, tmp_path, linked):
    maildirs.get(here, b"a/")
    maildirs.trim()
    (base / linked).rename(tmp_path / "aside")
    for name in ("new", "tmp"):
        (tmp_path / "other" / name).mkdir(parents=True)
    (base / linked).symlink_to(tmp_path / "other" / linked[2:])
    with pytest.raises(NotADirectoryError):
        maildirs.get(here, b"a/")


@pytest.mark.parametrize("name", ["new", "tmp"])
def test_a_link_to_what_is_open_is_refused_too(maildirs, here, base, tmp_path, name):
    maildirs.get(here, b"a/")
    (base / "a" / name).rename(tmp_path / "aside")
    (base / "a" / name).symlink_to(tmp_path / "aside")
    with pytest.raises(NotADirectoryError):
        maildirs.get(here, b"a/")


def test_those_not_used_for_longest_are_closed(maildirs, here):
    first = maildirs.get(here, b"a/")
    maildirs.get(here, b"b/")
    maildirs.get(here, b"a/")
    maildirs.get(here, b"c/")
    before = count()
    maildirs.trim()
    assert count() == before - 2
    assert maildirs.get(here, b"a/") is first


def test_what_cannot_be_opened_leaves_nothing_open(maildirs, here, base):
    (base / "a").write_text("x")
    (base / "b").mkdir()
    (base / "b/new").write_text("x")
    before = count()
    for path in (b"a/", b"b/"):
        with pytest.raises(NotADirectoryError):
            maildirs.get(here, path)
    with pytest.raises(ValueError, match="path"):
        maildirs.get(here, b"../x/")
    assert count() == before


def test_close_closes_all_and_the_next_is_opened_anew(maildirs, here):
    before = count()
    maildirs.get(here, b"a/")
    maildirs.close()
    assert count() == before
    maildirs.get(here, b"a/")
    assert count() == before + 2
