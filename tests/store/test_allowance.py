from __future__ import annotations

import asyncio

import pytest

from postroad.base.errors import StoreUnavailable
from postroad.store.allowance import Allowances, Limit, open_allowances

HOUR, DAY = Limit(2, 3600), Limit(3, 86400)


@pytest.fixture
def memory(tmp_path):
    made = Allowances(tmp_path / "allowances.db")
    yield made
    made.close()


async def test_the_first_limit_that_is_reached_says_no(memory):
    assert [await memory.use("al", "messages", (HOUR, DAY), now) for now in (0, 1, 2)] == [None, None, HOUR]
    assert [await memory.use("al", "messages", (HOUR, DAY), now) for now in (3600, 3601)] == [None, DAY]
    assert await memory.use("al", "messages", (HOUR, DAY), 86400) is None


async def test_each_user_and_thing_has_its_own(memory):
    one = (Limit(1, 60),)
    assert await memory.use("al", "messages", one, 0) is None
    assert await memory.use("al", "recipients", one, 0) is None
    assert await memory.use("bo", "messages", one, 0) is None
    assert await memory.use("al", "messages", one, 0) == one[0]


async def test_others_who_have_the_file_count_too_and_nothing_is_forgotten(memory, tmp_path):
    other = Allowances(tmp_path / "allowances.db")
    five = (Limit(5, 60),)
    said = await asyncio.gather(*(each.use("al", "m", five, 0) for each in (memory, other) * 5))
    assert said.count(None) == 5
    other.close()
    again = Allowances(tmp_path / "allowances.db")
    assert await again.use("al", "m", five, 59) == five[0]
    again.close()


async def test_a_clock_that_goes_back_begins_anew(memory):
    one = (Limit(1, 60),)
    await memory.use("al", "m", one, 1000)
    assert await memory.use("al", "m", one, 10) is None


async def test_old_rows_are_cleaned_away(memory):
    await memory.use("al", "m", (Limit(1, 60),), 0)
    memory._uses = 999
    await memory.use("bo", "m", (Limit(1, 60),), 1000)
    rows = await memory._file.do(lambda db: db.execute("SELECT user FROM used").fetchall())
    assert rows == [("bo",)]


async def test_a_file_that_fails_is_no_answer(tmp_path):
    memory = Allowances(tmp_path / "absent" / "allowances.db")
    with pytest.raises(StoreUnavailable):
        await memory.use("al", "m", (HOUR,), 0)
    memory.close()


def test_a_process_has_one_memory_for_a_file(tmp_path):
    assert open_allowances(tmp_path / "x") is open_allowances(tmp_path / "x")
