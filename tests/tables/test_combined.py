import random

import pytest

from postroad.base.errors import TableUnavailable
from postroad.tables.combined import Random, is_pattern, members_of
from postroad.tables.contract import check_table
from postroad.tables.registry import open_table

UNION = "unionmap:{inline:{ {a = 1, 2} }, inline:{ a=3, b=4 }}"


@pytest.mark.parametrize(("key", "value"), [("a", "1, 2,3"), ("A", "1, 2,3"), ("b", "4"), ("c", None)])
async def test_a_union_has_every_answer(world, key, value):
    assert await open_table(UNION, world.context).lookup(key) == value


@pytest.mark.parametrize(("key", "value"), [("a", "end"), ("b", None), ("c", None)])
async def test_a_pipe_goes_from_answer_to_answer(world, key, value):
    table = open_table("pipemap:{inline:{a=Mid, b=other}, inline:{mid=end}}", world.context)
    assert await table.lookup(key) == value


@pytest.mark.parametrize("kind", ["unionmap", "pipemap"])
async def test_they_keep_the_contract_of_tables(world, kind):
    await check_table(open_table(f"{kind}:{{inline:{{a=b}}}}", world.context), "a", "b", "c")


@pytest.mark.parametrize("kind", ["unionmap", "pipemap"])
async def test_one_that_fails_fails_the_whole(world, kind):
    table = open_table(f"{kind}:{{inline:{{a=b}}, fail:x}}", world.context)
    with pytest.raises(TableUnavailable):
        await table.lookup("a")


def test_a_random_map_has_all_its_values():
    table = Random("randmap:x", "{a, b, {c d}}", random.Random(1))
    assert {table.get("any") for _ in range(100)} == {"a", "b", "c d"}


def test_a_union_with_patterns_is_a_pattern_table(world):
    world.write("re", "/a/ b\n")
    assert is_pattern(open_table("unionmap:{static:x, regexp:re}", world.context))
    assert not is_pattern(open_table("unionmap:{static:x}", world.context))


@pytest.mark.parametrize("argument", ["x", "{}", "{a", ""])
def test_members_need_braces(argument):
    with pytest.raises(ValueError, match='bad syntax: "unionmap:'):
        members_of("unionmap", argument)
