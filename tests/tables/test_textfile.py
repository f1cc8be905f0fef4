"""hash and its like read the text beside the name."""

import pytest

from postroad.base.errors import TableUnavailable
from postroad.tables.contract import check_table
from postroad.tables.registry import open_table
from postroad.tables.textfile import TextFile


async def test_it_keeps_the_contract_of_tables(world):
    world.write("virtual", "user@example.com  other@example.net\n")
    table = open_table("hash:virtual", world.context)
    await check_table(table, "user@example.com", "other@example.net", "nobody@example.com")


def test_it_follows_changes(world):
    world.write("t", "a 1\n")
    table = open_table("hash:t", world.context)
    assert table.get("a") == "1"
    world.write("t", "a 2\nb 3\n")
    assert (table.get("a"), table.get("b")) == ("2", "3")
    (world.folder / "t").unlink()
    world.clock.advance(1)
    with pytest.raises(TableUnavailable):
        table.get("a")


def test_it_reads_aliases_when_told(world):
    world.write("aliases", "postmaster: root\n")
    table = open_table("hash:aliases", world.context, aliases=True)
    assert table.get("postmaster") == "root"
    assert list(table.entries()) == [("postmaster", "root")]


def test_bad_lines_do_not_take_the_good_ones_with_them(world):
    world.write("t", "bad\na 1\n")
    table = TextFile("hash:t", str(world.folder / "t"), world.context)
    table.load()
    assert table.get("a") == "1"
    assert "line 1: expected format" in world.warnings[0]


def test_its_words_are_those_of_the_file_now(world):
    world.write("t", "A 1\n")
    table = open_table("hash:t", world.context)
    assert table.words() == {"a": "1"}
    world.write("t", "b 2\n")
    assert table.words() == {"b": "2"}
    (world.folder / "t").unlink()
    world.clock.advance(1)
    with pytest.raises(TableUnavailable):
        table.words()
