"""A file is read again when it changes, and is never believed when it cannot be read."""

import os

import pytest

from postroad.base.errors import TableUnavailable
from postroad.tables.source import Source


def source(world, parse=str.strip):
    return Source(str(world.folder / "f"), parse, world.context)


def test_a_change_is_seen_after_the_interval_and_not_before(world):
    world.write("f", "one")
    made = source(world)
    assert made.get() == "one"
    (world.folder / "f").write_text("three")
    assert made.get() == "one"
    world.clock.advance(1.0)
    assert made.get() == "three"


def test_a_file_that_does_not_change_is_parsed_once(world):
    path = world.write("f", "one")
    os.utime(path, (1, 1))
    parsed = []
    made = source(world, parsed.append)
    for _ in range(5):
        made.get()
        world.clock.advance(2)
    assert parsed == ["one"]


def test_a_change_of_the_same_size_in_the_same_instant_is_seen(world):
    path = world.write("f", "one")
    instant = int(world.clock.now()) - 1
    os.utime(path, (instant, instant))
    made = source(world)
    assert made.get() == "one"
    with path.open("r+") as file:
        file.write("two")
    os.utime(path, (instant, instant))
    world.clock.advance(1)
    assert made.get() == "two"


def test_a_missing_file_could_not_be_looked_into(world):
    made = source(world)
    with pytest.raises(TableUnavailable, match=r"open .*/f: No such file or directory"):
        made.get()
    world.write("f", "there")
    assert made.get() == "there"


def test_a_file_that_disappears_or_breaks_is_warned_of_once_and_believed_no_more(world):
    def parse(text):
        if text == "broken":
            raise ValueError("it is broken")
        return text

    world.write("f", "one")
    made = source(world, parse)
    assert made.get() == "one"
    world.write("f", "broken")
    for _ in range(3):
        with pytest.raises(TableUnavailable, match="/f: it is broken"):
            made.get()
        world.clock.advance(1)
    assert len(world.warnings) == 1
    world.write("f", "two")
    assert made.get() == "two"


def test_a_byte_order_mark_is_no_part_of_the_text_and_other_bytes_survive(world):
    world.write("f", b"\xef\xbb\xbfa \xff")
    assert source(world).get() == "a \udcff"


# --- files that another process reads for us


@pytest.fixture
def forbidden(world, monkeypatch):
    """A file that may be seen and not read; returns what another process has read, by path."""
    path = world.write("f", "on disk")
    given = {}
    world.context.private = given.get
    read = type(path).read_bytes

    def refuse(self):
        if self == path:
            raise PermissionError(13, "Permission denied", str(self))
        return read(self)

    monkeypatch.setattr(type(path), "read_bytes", refuse)
    return given


def test_what_we_may_not_read_another_has_read(world, forbidden):
    made = source(world)
    with pytest.raises(TableUnavailable, match="Permission denied"):
        made.get()
    forbidden[made.path] = b"one"
    world.clock.advance(1)
    assert made.get() == "one"
    forbidden[made.path] = b"two"
    world.clock.advance(1)
    assert made.get() == "two"
    del forbidden[made.path]
    world.clock.advance(1)
    with pytest.raises(TableUnavailable):
        made.get()


def test_what_another_has_read_is_parsed_once(world, forbidden):
    parsed = []
    made = source(world, parsed.append)
    forbidden[made.path] = b"one"
    for _ in range(5):
        made.get()
        world.clock.advance(2)
    assert parsed == ["one"]


def test_what_another_has_read_may_be_nonsense(world, forbidden):
    made = source(world, int)
    forbidden[made.path] = b"x"
    with pytest.raises(TableUnavailable, match="invalid literal"):
        made.get()
    forbidden[made.path] = b"1"
    world.clock.advance(1)
    assert made.get() == 1
