"""The tests' own waiting."""

import asyncio
import time

import pytest

from patience import turns, until


async def test_a_condition_is_waited_for():
    happened = []
    asyncio.get_running_loop().call_later(0.01, happened.append, 1)
    await until(lambda: happened)
    assert happened


async def test_what_does_not_happen_fails_with_an_explanation():
    with pytest.raises(AssertionError, match=r"not within 0 s\. 3 of 5"):
        await until(lambda: False, 0, lambda: "3 of 5")


async def test_a_condition_has_a_last_look_when_the_time_is_over():
    happened = []
    asyncio.get_running_loop().call_later(0.01, happened.append, 1)
    await until(lambda: happened or time.sleep(0.02), 0.005)
    with pytest.raises(AssertionError):
        await until(lambda: False, -1)


async def test_the_loop_turns_as_often_as_it_is_told():
    turned, loop = [], asyncio.get_running_loop()

    def turn():
        turned.append(1)
        if len(turned) < 100:
            loop.call_soon(turn)

    loop.call_soon(turn)
    await turns(7)
    assert 6 <= len(turned) <= 8
