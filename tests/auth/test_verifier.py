import asyncio
import threading

import pytest

from postroad.auth import verifier as module
from postroad.auth.accounts import AuthUnavailable
from postroad.auth.schemes import read
from postroad.auth.verifier import Verifier, Workshop
from postroad.base.clock import TestClock

STORED = read("{PLAIN}secret")
SAMPLE = read("{PLAIN}other")


@pytest.fixture
def workshop():
    made = Workshop(1, 2)
    yield made
    made.close()


@pytest.fixture
def clock():
    return TestClock()


@pytest.fixture
def verifier(workshop, clock):
    return Verifier(workshop, clock, 60)


async def test_a_wrong_name_costs_what_a_wrong_password_costs(verifier):
    for stored, sample in ((STORED, SAMPLE), (None, SAMPLE), (read("{LOCKED}{PLAIN}secret"), SAMPLE)):
        before = verifier.made
        assert not await verifier.check("joe", "wrong", stored, sample)
        assert verifier.made == before + 1


async def test_the_sample_opens_nothing(verifier):
    assert not await verifier.check("joe", "other", None, SAMPLE)
    assert not await verifier.check("joe", "other", read("*"), SAMPLE)
    assert not await verifier.check("joe", "other", None, None)


async def test_a_right_password_is_known_for_a_while(verifier, clock):
    for _ in range(3):
        assert await verifier.check("joe", "secret", STORED, SAMPLE)
    assert verifier.made == 1
    assert not await verifier.check("joe", "wrong", STORED, SAMPLE)
    assert not await verifier.check("ann", "secret", None, SAMPLE)
    assert verifier.made == 3
    clock.advance(61)
    assert await verifier.check("joe", "secret", STORED, SAMPLE)
    assert verifier.made == 4


async def test_a_change_is_not_overlooked(verifier):
    assert await verifier.check("joe", "secret", STORED, SAMPLE)
    assert not await verifier.check("joe", "secret", read("{PLAIN}new"), SAMPLE)
    assert not await verifier.check("joe", "secret", read("{LOCKED}{PLAIN}secret"), SAMPLE)
    assert not await verifier.check("joe", "secret", None, SAMPLE)


async def test_nothing_is_known_without_time_for_it(workshop, clock):
    verifier = Verifier(workshop, clock, 0)
    for _ in range(2):
        assert await verifier.check("joe", "secret", STORED, SAMPLE)
    assert verifier.made == 2


async def test_a_broken_hash_is_no_answer_and_stays_secret(verifier):
    with pytest.raises(AuthUnavailable) as caught:
        await verifier.check("joe", "x", read("{ARGON2ID}broken"), SAMPLE)
    assert "joe" in str(caught.value)
    assert "broken" not in str(caught.value)
    assert not await verifier.check("joe", "x", None, read("{ARGON2ID}broken"))


async def test_only_so_many_wait(workshop):
    gate = threading.Event()
    waiting = [asyncio.ensure_future(workshop.run(gate.wait)) for _ in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(AuthUnavailable, match="too many"):
        await workshop.run(gate.wait)
    # Whoever gave up still counts: the thread does not know.
    waiting[0].cancel()
    await asyncio.sleep(0)
    assert workshop.busy >= 2
    gate.set()
    await asyncio.gather(*waiting, return_exceptions=True)
    while workshop.busy:
        await asyncio.sleep(0.001)
    assert await workshop.run(lambda: 5) == 5


async def test_what_hangs_is_given_up_and_still_counts(workshop, monkeypatch):
    monkeypatch.setattr(module, "LONGEST", 0.02)
    gate = threading.Event()
    with pytest.raises(AuthUnavailable, match="too long"):
        await workshop.run(gate.wait)
    assert workshop.busy == 1
    gate.set()
    while workshop.busy:
        await asyncio.sleep(0.001)


async def test_who_waits_at_the_end_gets_no_answer(workshop):
    gate = threading.Event()
    waiting = [asyncio.ensure_future(workshop.run(gate.wait)) for _ in range(3)]
    await asyncio.sleep(0)
    workshop.close()
    gate.set()
    found = await asyncio.gather(*waiting, return_exceptions=True)
    assert found[0] is True
    assert [type(each) for each in found[1:]] == [AuthUnavailable] * 2


async def test_nothing_is_begun_after_the_end(workshop):
    workshop.close()
    with pytest.raises(AuthUnavailable, match="ends"):
        await workshop.run(lambda: 5)
