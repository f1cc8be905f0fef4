from postroad.tables.contract import check_table
from postroad.tables.environ import Environ


async def test_it_keeps_the_contract_of_tables():
    await check_table(Environ("environ:x", {"name": "value"}), "name", "value", "other")


def test_it_lists_the_variables():
    assert list(Environ("environ:x", {"a": "b"}).entries()) == [("a", "b")]
