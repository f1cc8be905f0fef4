import pytest

from postroad.tables.local import LocalTable


class One(LocalTable):
    def get(self, key):
        return "1" if key == "one" else None


async def test_looking_up_is_getting():
    table = One("one:x")
    assert await table.lookup("one") == "1"
    assert await table.lookup("two") is None


def test_a_table_without_a_list_says_so():
    with pytest.raises(ValueError, match="table one:x: sequence operation is not supported"):
        One("one:x").entries()


def test_there_is_nothing_to_load():
    One("one:x").load()


def test_a_table_without_a_list_has_no_words():
    assert LocalTable("x").words() is None
