"""Nothing leads out of the base directory."""

from __future__ import annotations

import os

import pytest

from postroad.delivery.mailbox import folder


@pytest.mark.parametrize(
    ("path", "parts"),
    [
        (b"a/b/", (b"a", b"b")),
        (b"/a//b", (b"a", b"b")),
        (b"./a/./b/", (b"a", b"b")),
        (b"...", (b"...",)),
        (b"~root/x", (b"~root", b"x")),
        ("a\uff0fb".encode(), ("a\uff0fb".encode(),)),
    ],
)
def test_a_path_is_its_names_below_the_base(path, parts):
    assert folder.parts_of(path) == parts


@pytest.mark.parametrize(
    "path", [b"", b"/", b".", b"..", b"a/../../etc", b"a/..", b"a\0b", b"x" * 256, b"a/" * 3000]
)
def test_a_path_that_could_lead_elsewhere_is_refused(path):
    with pytest.raises(ValueError, match="path"):
        folder.parts_of(path)


def test_missing_directories_are_made_for_the_owner_alone(base):
    before = os.umask(0)
    try:
        os.close(folder.open_below(os.fsencode(base), (b"a", b"b"), create=True))
    finally:
        os.umask(before)
    assert (base / "a" / "b").stat().st_mode & 0o777 == 0o700
    assert (base / "a").stat().st_mode & 0o777 == 0o700


def test_without_leave_to_make_them_missing_directories_are_an_error(base):
    with pytest.raises(FileNotFoundError):
        folder.open_below(os.fsencode(base), (b"a",), create=False)


@pytest.mark.parametrize("link", ["a", "a/b"])
def test_a_symbolic_link_on_the_way_is_an_error(base, tmp_path, link):
    outside = tmp_path / "outside"
    (outside / "b").mkdir(parents=True)
    (base / link).parent.mkdir(exist_ok=True)
    (base / link).symlink_to(outside)
    with pytest.raises(NotADirectoryError):
        folder.open_below(os.fsencode(base), (b"a", b"b"), create=True)


def test_the_base_itself_may_be_a_link_of_the_operator_s(base, tmp_path):
    (tmp_path / "link").symlink_to(base)
    os.close(folder.open_below(os.fsencode(tmp_path / "link"), (b"a",), create=True))
    assert (base / "a").is_dir()


def test_no_file_stays_open_when_the_way_ends_early(base):
    (base / "file").write_text("x")
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        with pytest.raises(NotADirectoryError):
            folder.open_below(os.fsencode(base), (b"file", b"x"), create=True)
    assert len(os.listdir("/proc/self/fd")) == before
