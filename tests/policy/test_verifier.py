"""Probes: when they are sent, how long they are waited for, what is kept of them."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from patience import LIMIT
from postroad.base.clock import TestClock
from postroad.base.errors import LookupUnavailable, StoreUnavailable
from postroad.base.log import Log
from postroad.model.verification import IN_PROGRESS, Deliverability, Verification
from postroad.policy.verifier import AddressVerifier, CachedVerifier, ProbeSender, cache_of, lifetimes_of
from postroad.store import verify_cache
from postroad.store.verify_cache import VerifyCache

GOOD = Verification(Deliverability.GOOD, "250 Ok")
BAD = Verification(Deliverability.BAD, "550 no")


class FakeProber:
    def __init__(self):
        self.asked = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.found = GOOD

    async def probe(self, address, sender):
        self.asked.append((address, sender))
        await self.gate.wait()
        if isinstance(self.found, Exception):
            raise self.found
        return self.found


@pytest.fixture
def make(settings, sink, tmp_path):
    made = []

    def verifier(cache=None, **texts):
        prober = FakeProber()
        cache = VerifyCache(tmp_path / "v.sqlite") if cache is None else cache
        made.append(cache)
        built = AddressVerifier(
            settings(myorigin="here.test", **texts),
            prober=prober,
            log=Log(sink),
            clock=TestClock(),
            cache=cache,
        )
        built._pause = LIMIT
        return built, prober

    yield verifier
    for cache in made:
        cache.close()


async def test_a_probe_is_waited_for_and_its_result_kept(make):
    verifier, prober = make()
    for _ in range(3):
        assert await verifier.verify("a@x.test") == GOOD
    assert prober.asked == [("a@x.test", "double-bounce@here.test")]


async def test_a_probe_that_takes_long_is_not_waited_for_and_goes_on(make):
    verifier, prober = make()
    verifier._pause = 0.02
    prober.gate.clear()
    assert await verifier.verify("a@x.test") == IN_PROGRESS
    assert await verifier.verify("a@x.test") == IN_PROGRESS
    prober.gate.set()
    while verifier._running:
        await asyncio.sleep(0.001)
    assert await verifier.verify("a@x.test") == GOOD
    assert len(prober.asked) == 1


async def test_with_one_look_nobody_waits(make):
    verifier, prober = make(address_verify_poll_count="1")
    assert await verifier.verify("a@x.test") == IN_PROGRESS
    while verifier._running or not prober.asked:
        await asyncio.sleep(0.001)
    assert await verifier.verify("a@x.test") == GOOD


async def test_those_who_ask_at_one_time_share_a_probe(make):
    verifier, prober = make()
    assert await asyncio.gather(*(verifier.verify("a@x.test") for _ in range(9))) == [GOOD] * 9
    assert len(prober.asked) == 1


async def test_another_worker_s_probe_is_waited_for(make):
    first, prober = make()
    second, idle = make()
    prober.gate.clear()
    asking = asyncio.ensure_future(first.verify("a@x.test"))
    while not prober.asked:
        await asyncio.sleep(0.001)
    second._polls, second._pause = 1500, 0.02
    other = asyncio.ensure_future(second.verify("a@x.test"))
    await asyncio.sleep(0)
    prober.gate.set()
    assert await asyncio.gather(asking, other) == [GOOD, GOOD]
    assert idle.asked == []


async def test_a_probe_that_fails_by_a_defect_is_undecided(make, sink):
    verifier, prober = make()
    prober.found = KeyError("x")
    found = await verifier.verify("a@x.test")
    assert found.state is Deliverability.UNKNOWN
    assert sink.lines == ["verify: error: a@x.test: KeyError('x')"]


async def test_there_is_a_limit_of_probes_at_one_time(make):
    verifier, prober = make(address_verify_pending_request_limit="1", address_verify_poll_count="1")
    prober.gate.clear()
    await verifier.verify("a@x.test")
    found = await verifier.verify("b@x.test")
    assert found.state is Deliverability.UNKNOWN
    prober.gate.set()
    while verifier._running:
        await asyncio.sleep(0.001)
    assert await verifier.verify("b@x.test") == IN_PROGRESS
    while verifier._running:
        await asyncio.sleep(0.001)
    assert [address for address, _ in prober.asked] == ["a@x.test", "b@x.test"]


async def test_without_its_memory_nothing_is_known_and_nothing_is_probed(make, tmp_path):
    verifier, prober = make(VerifyCache(tmp_path / "none" / "v.sqlite"))
    with pytest.raises(LookupUnavailable):
        await verifier.verify("a@x.test")
    assert prober.asked == []


async def test_a_result_that_cannot_be_kept_counts_for_those_who_wait(make, sink):
    class Forgetful(VerifyCache):
        async def note(self, *_rest):
            raise StoreUnavailable("disk full")

    verifier, _ = make(Forgetful(None))
    assert await verifier.verify("a@x.test") == GOOD
    assert sink.lines == ["verify: warning: a@x.test: the result cannot be kept: disk full"]


async def test_the_sender_of_probes_is_never_probed(make):
    verifier, prober = make()
    assert (await verifier.verify("Double-Bounce@here.test")).state is Deliverability.GOOD
    assert prober.asked == []
    assert verifier.is_probe_sender("double-bounce@here.test")
    assert not verifier.is_probe_sender("a@here.test")


def sender(settings, **texts):
    return ProbeSender(settings(myorigin="here.test", **texts))


@pytest.mark.parametrize(
    ("value", "address"),
    [
        ("$double_bounce_sender", "double-bounce@here.test"),
        ("postmaster@my.test", "postmaster@my.test"),
        ("", ""),
        ("<>", ""),
    ],
)
def test_the_sender_of_probes(settings, value, address):
    probes = sender(settings, address_verify_sender=value)
    assert probes.now(1e9) == address
    assert probes.matches(address, 1e9) is bool(address)
    assert not probes.matches("", 1e9)


def test_the_sender_may_change_with_time(settings):
    probes = sender(settings, address_verify_sender_ttl="1000s")
    first, second, third = (probes.now(moment) for moment in (1e9, 1e9 + 999, 1e9 + 1000))
    assert first == second != third
    assert first.startswith("double-bounce")
    assert first.endswith("@here.test")
    assert first != "double-bounce@here.test"
    for moment, known in (
        (1e9, True),
        (1e9 + 1999, True),
        (1e9 - 1, True),
        (1e9 + 2000, False),
        (1e9 - 1001, False),
    ):
        assert probes.matches(first.upper(), moment) is known
    assert sender(settings, address_verify_sender_ttl="1000s", address_verify_sender="").now(1e9) == ""


@pytest.mark.parametrize("kind", ["btree:", "proxy:lmdb:", ""])
def test_where_results_are_kept(settings, tmp_path, kind):
    cache = cache_of(settings(address_verify_map=f"{kind}{tmp_path}/verify_cache"))
    assert cache._file.path == Path(f"{tmp_path}/verify_cache.sqlite")
    verify_cache._open.clear()
    assert cache_of(settings(address_verify_map=""))._file.path == Path(":memory:")


async def test_who_only_looks_says_what_is_known_and_leaves_no_trace(settings, tmp_path):
    texts = settings(myorigin="here.test", address_verify_map=f"btree:{tmp_path}/v")
    clock = TestClock()
    looking = CachedVerifier(texts, clock)
    assert await looking.verify("a@x.test") == IN_PROGRESS
    assert list(tmp_path.iterdir()) == []
    cache = VerifyCache(tmp_path / "v.sqlite")
    await cache.note("a@x.test", BAD, lifetimes_of(texts), clock.now())
    assert await looking.verify("a@x.test") == BAD
    assert await looking.verify("b@x.test") == IN_PROGRESS
    cache.close()
    assert looking.is_probe_sender("double-bounce@here.test")
    assert not looking.is_probe_sender("a@x.test")


async def test_who_only_looks_cannot_say_what_cannot_be_read_or_is_in_memory(settings, tmp_path):
    (tmp_path / "v.sqlite").write_bytes(b"no database" * 100)
    looking = CachedVerifier(settings(address_verify_map=f"btree:{tmp_path}/v"), TestClock())
    with pytest.raises(LookupUnavailable):
        await looking.verify("a@x.test")
    assert (
        await CachedVerifier(settings(address_verify_map=""), TestClock()).verify("a@x.test") == IN_PROGRESS
    )
