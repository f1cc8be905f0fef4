import pytest

from postroad.tables.contract import check_table
from postroad.tables.inline import Inline


class Wrong(Inline):
    """A table with one fault."""

    def __init__(self, fault):
        super().__init__("wrong:x" if fault != "name" else "x", "{a=b}")
        self.fault = fault

    async def lookup(self, key):
        if self.fault == "prefix":
            key = key[:1]
        if self.fault == "everything":
            return "b"
        if self.fault == "nothing":
            return None
        if self.fault == "empty":
            return self.get(key) or ""
        if self.fault == "pattern" and key == ".*":
            return "b"
        return self.get(key)


async def test_a_table_that_keeps_it_passes():
    await check_table(Inline("inline:{a=b}", "{a=b}"), "a", "b", "c")


@pytest.mark.parametrize("fault", ["name", "prefix", "everything", "nothing", "empty", "pattern"])
async def test_each_fault_is_found(fault):
    with pytest.raises(AssertionError, match=r"."):
        await check_table(Wrong(fault), "a", "b", "c")
