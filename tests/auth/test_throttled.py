import asyncio
import gc
import threading
import tracemalloc

import pytest

from auth.conftest import a_session
from postroad.auth import verifier
from postroad.auth.throttle import Throttle
from postroad.auth.throttled import TOO_MANY, Throttled
from postroad.base.clock import TestClock
from postroad.model.sasl import SaslState, SaslStep


class FakeExchange:
    def __init__(self, owner):
        self.owner = owner
        self.canceled = False

    async def step(self, response):
        self.owner.asked += 1
        await asyncio.sleep(0)
        return self.owner.answer(response)

    def cancel(self):
        self.canceled = True


class FakeAuthenticator:
    def __init__(self):
        self.asked = 0
        self.closed = False

    def answer(self, response):
        user, _, word = (response or b"").decode().partition(" ")
        states = {"yes": SaslState.DONE, "more": SaslState.MORE, "down": SaslState.UNAVAILABLE}
        return SaslStep(states.get(word, SaslState.FAILED), username=user)

    def mechanisms(self, *, tls):
        return ("PLAIN", "TLS") if tls else ("PLAIN",)

    def begin(self, mechanism, session):
        return FakeExchange(self)

    async def close(self):
        self.closed = True


@pytest.fixture
def clock():
    return TestClock()


@pytest.fixture
def inner():
    return FakeAuthenticator()


@pytest.fixture
async def throttled(inner, clock):
    throttle = Throttle(clock, limit=3, seconds=600.0, longest=0.0)
    return Throttled(inner, throttle, asyncio.get_running_loop())


async def attempt(throttled, response, address="192.0.2.1"):
    return await throttled.begin("PLAIN", a_session(address)).step(response)


async def test_what_is_not_a_failure_is_not_counted(throttled, inner):
    for response in (b"joe yes", b"joe more", b"joe down") * 4:
        step = await attempt(throttled, response)
        assert step == inner.answer(response)
    assert throttled.mechanisms(tls=True) == ("PLAIN", "TLS")
    await throttled.close()
    assert inner.closed


async def test_after_too_many_nobody_is_asked(throttled, inner, clock):
    for _ in range(3):
        assert (await attempt(throttled, b"joe no")).state is SaslState.FAILED
    asked = inner.asked
    for response in (b"joe no", b"joe yes"):
        assert await attempt(throttled, response) == SaslStep(SaslState.FAILED, reason=TOO_MANY)
    assert inner.asked == asked
    assert (await attempt(throttled, b"joe yes", "192.0.2.2")).state is SaslState.DONE
    clock.advance(601)
    assert (await attempt(throttled, b"joe yes")).state is SaslState.DONE


async def test_a_guess_that_is_right_at_last_is_not_told(throttled):
    for number in range(15):
        await attempt(throttled, b"joe no", f"198.51.100.{number}")
    right, wrong = [await attempt(throttled, word, "203.0.113.1") for word in (b"joe yes", b"joe no")]
    assert right == wrong == SaslStep(SaslState.FAILED, username="joe", reason=TOO_MANY)
    assert (await attempt(throttled, b"ann yes", "203.0.113.1")).state is SaslState.DONE
    # Guesses do not keep out who shows a token.
    exchange = throttled.begin("OAUTHBEARER", a_session("203.0.113.1"))
    assert (await exchange.step(b"joe yes")).state is SaslState.DONE


async def test_right_and_wrong_wait_alike_once_a_user_is_shut_out(inner, clock):
    throttled = Throttled(
        inner, Throttle(clock, limit=1, seconds=600.0, longest=0.02), asyncio.get_running_loop()
    )
    for number in range(5):
        await attempt(throttled, b"joe no", f"198.51.100.{number}")
    waits = []
    throttled.begin = lambda _mechanism, session, begin=throttled.begin: noted(begin("PLAIN", session), waits)
    for word in (b"joe yes", b"joe no"):
        await attempt(throttled, word, "203.0.113.1")
    assert waits == [0.02, 0.02]


def noted(exchange, waits):
    async def wait(seconds):
        waits.append(seconds)

    exchange._wait = wait
    return exchange


async def test_the_reply_to_a_failure_waits_and_the_loop_does_not(inner, clock):
    throttled = Throttled(
        inner, Throttle(clock, limit=9, seconds=600.0, longest=300.0), asyncio.get_running_loop()
    )
    exchange = throttled.begin("PLAIN", a_session())
    failed = asyncio.ensure_future(exchange.step(b"joe no"))
    for _ in range(5):
        await asyncio.sleep(0)
    assert not failed.done()
    assert (await attempt(throttled, b"joe yes")).state is SaslState.DONE
    assert not failed.done()
    exchange._resume()  # its time is over
    assert (await failed).state is SaslState.FAILED


async def test_the_reply_to_a_failure_comes_after_its_time(inner, clock):
    throttled = Throttled(
        inner, Throttle(clock, limit=9, seconds=600.0, longest=0.01), asyncio.get_running_loop()
    )
    assert (await attempt(throttled, b"joe no")).state is SaslState.FAILED


async def test_a_client_that_is_gone_ends_the_wait(inner, clock):
    throttled = Throttled(
        inner, Throttle(clock, limit=9, seconds=600.0, longest=300.0), asyncio.get_running_loop()
    )
    exchange = throttled.begin("PLAIN", a_session())
    step = asyncio.ensure_future(exchange.step(b"joe no"))
    for _ in range(5):
        await asyncio.sleep(0)
    exchange.cancel()
    assert (await step).state is SaslState.FAILED
    assert exchange._inner.canceled


async def test_ten_thousand_wrong_passwords_from_fifty_clients(build, tmp_path, monkeypatch):
    (tmp_path / "users").write_text("joe:{PLAIN}right\n")
    authenticator = build(smtpd_sasl_type="postroad", smtpd_sasl_path=str(tmp_path / "users"))
    threads = []
    verify = verifier.verify
    monkeypatch.setattr(
        verifier, "verify", lambda *words: threads.append(threading.get_ident()) or verify(*words)
    )

    async def client(number, times):
        session = a_session(f"198.51.100.{number}")
        for each in range(times):
            step = await authenticator.begin("PLAIN", session).step(b"\0joe\0wrong%d" % each)
            assert step.state is SaslState.FAILED

    await asyncio.gather(*(client(number, 40) for number in range(50)))
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    await asyncio.gather(*(client(number, 160) for number in range(50)))
    gc.collect()
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert grown < 100_000
    assert threading.get_ident() not in threads  # the loop hashes nothing
    # Five times the limit of one address for the user, and what was under way; then nothing is hashed.
    assert 100 <= len(threads) <= 150
    authenticator.throttle.succeeded("192.0.2.1", "joe")
    step = await authenticator.begin("PLAIN", a_session("192.0.2.1")).step(b"\0joe\0right")
    assert step.state is SaslState.DONE
    await authenticator.close()
