import asyncio
import math

from patience import until
from postroad.base.wheel import Wheel


class Member:
    def __init__(self, deadline):
        self.deadline = deadline
        self.times = 0

    def expired(self):
        self.times += 1
        self.deadline = math.inf


async def test_only_those_whose_deadline_is_over_are_called():
    loop = asyncio.get_running_loop()
    wheel = Wheel(loop)
    wheel.TICK = 0.01
    over, not_yet, gone = Member(loop.time() - 1), Member(loop.time() + 100), Member(loop.time() - 1)
    for member in (over, not_yet, gone):
        wheel.join(member)
    wheel.leave(gone)
    await until(lambda: over.times)
    await asyncio.sleep(0.03)  # some turns more
    assert (over.times, not_yet.times, gone.times) == (1, 0, 0)
    wheel.leave(over)
    wheel.leave(not_yet)


async def test_an_empty_wheel_stands_still_and_turns_again_for_the_next():
    loop = asyncio.get_running_loop()
    wheel = Wheel(loop)
    wheel.TICK = 0.01
    first = Member(loop.time() - 1)
    wheel.join(first)
    await until(lambda: first.times)
    wheel.leave(first)
    await until(lambda: wheel._timer is None)
    second = Member(loop.time() - 1)
    wheel.join(second)
    await until(lambda: second.times)
    assert second.times == 1
    wheel.leave(second)
