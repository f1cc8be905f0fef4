import pytest

from postroad.base.errors import TableUnavailable
from postroad.model.explain import Lookup
from postroad.tables.context import TableContext
from postroad.tables.local import LocalTable
from postroad.tables.maps import Maps
from postroad.tables.matchlist import DomainList
from postroad.tables.registry import open_table
from postroad.tables.watched import watched


@pytest.fixture
def heard():
    return []


@pytest.fixture
def context(heard):
    return TableContext(watch=heard.append)


class Slow:
    name = "slow:x"
    pattern = True

    async def lookup(self, key):
        if key == "bad":
            raise TableUnavailable("slow:x does not answer")
        return "yes" if key == "a" else None


async def test_every_key_is_told_with_what_it_gave(context, heard):
    spec = "inline:{a=1}"
    maps = Maps([spec], context)
    assert maps.now  # a table that answers at once still does
    assert await maps.find("A") == "1"
    assert maps.find_now("b") is None
    assert heard == [Lookup(spec, "a", "1"), Lookup(spec, "b", None)]


async def test_members_of_match_lists_and_of_other_tables_are_watched(context, heard):
    assert await DomainList(["inline:{here.test=x}"], context, parents=True).matches("here.test")
    assert await Maps(["pipemap:{inline:{a=b},inline:{b=c}}"], context).find("a") == "c"
    assert [(each.key, each.answer) for each in heard] == [
        ("here.test", "x"),
        ("a", "b"),
        ("b", "c"),
        ("a", "c"),
    ]


async def test_a_failure_is_told_and_stays_one(context, heard):
    with pytest.raises(TableUnavailable):
        await Maps(["hash:/nonexistent/table"], context).find("a")
    assert heard[0].answer is None
    assert "No such file" in heard[0].error
    slow = watched(Slow(), heard.append)
    assert await slow.lookup("a") == "yes"
    with pytest.raises(TableUnavailable):
        await slow.lookup("bad")
    assert heard[1:] == [
        Lookup("slow:x", "a", "yes"),
        Lookup("slow:x", "bad", None, "slow:x does not answer"),
    ]


def test_what_a_table_is_stays_so(context, heard, tmp_path):
    (tmp_path / "p").write_text("/a/ b\n")
    table = open_table(f"regexp:{tmp_path}/p", context)
    assert isinstance(table, LocalTable)
    assert table.pattern
    assert list(open_table("inline:{a=b}", context).entries()) == [("a", "b")]
    assert watched(Slow(), heard.append).pattern
    with pytest.raises(TableUnavailable):
        open_table("hash:/nonexistent/t", context).load()


def test_a_table_behind_proxy_is_told_once(context, heard):
    table = open_table("proxy:inline:{a=b}", context)
    assert table.get("a") == "b"
    assert len(heard) == 1


def test_nobody_is_told_where_nobody_watches():
    plain = TableContext()
    assert type(open_table("inline:{a=b}", plain)).__module__ == "postroad.tables.inline"
