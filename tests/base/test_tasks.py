import asyncio

import pytest

from patience import turns, until
from postroad.base import tasks


async def test_what_does_not_wait_ends_at_once_without_a_task():
    async def work():
        return asyncio.current_task() and 7

    ends = []
    before = len(asyncio.all_tasks())
    assert tasks.start(work(), lambda result, error: ends.append((result, error)))
    assert ends == [(7, None)]
    assert len(asyncio.all_tasks()) == before


async def test_what_waits_goes_on_as_a_task_and_ends_once():
    future = asyncio.get_running_loop().create_future()

    async def work():
        return await future + await future

    ends = []
    assert not tasks.start(work(), lambda result, error: ends.append((result, error)))
    assert ends == []
    future.set_result(4)
    await until(lambda: ends)
    await turns()
    assert ends == [(8, None)]


async def test_an_error_before_and_after_waiting_is_handed_over():
    future = asyncio.get_running_loop().create_future()

    async def at_once():
        raise ValueError("now")

    async def later():
        await future

    ends = []
    tasks.start(at_once(), lambda result, error: ends.append((result, str(error))))
    tasks.start(later(), lambda result, error: ends.append((result, str(error))))
    future.set_exception(ValueError("then"))
    await until(lambda: len(ends) >= 2)
    assert ends == [(None, "now"), (None, "then")]


async def test_an_error_of_what_is_awaited_can_be_caught_inside():
    future = asyncio.get_running_loop().create_future()

    async def work():
        try:
            await future
        except KeyError:
            return "caught"

    ends = []
    tasks.start(work(), lambda result, error: ends.append((result, error)))
    future.set_exception(KeyError("x"))
    await until(lambda: ends)
    assert ends == [("caught", None)]


async def test_spawned_tasks_may_sleep_inside_a_started_coroutine():
    async def inner():
        await asyncio.sleep(0.001)
        return 5

    async def work():
        return await tasks.spawn(inner())

    ends = []
    tasks.start(work(), lambda result, error: ends.append((result, error)))
    await until(lambda: ends)
    assert ends == [(5, None)]


async def test_a_spawned_task_that_fails_is_reported():
    said = []
    tasks.on_failure(lambda name, error: said.append((name, str(error))))

    async def bad():
        raise RuntimeError("boom")

    task = tasks.spawn(bad(), "the task")
    with pytest.raises(RuntimeError):
        await task
    await asyncio.sleep(0)
    assert said == [("the task", "boom")]


async def test_a_result_is_there_or_is_waited_for():
    async def work():
        return await asyncio.sleep(0, 7)

    assert await tasks.result(7) == 7
    assert await tasks.result(None) is None
    assert await tasks.result(work()) == 7
