import asyncio

import pytest

from auth.conftest import a_session
from postroad.auth.accounts import AuthUnavailable
from postroad.auth.local import LocalExchange
from postroad.base.errors import TableUnavailable
from postroad.model.sasl import SaslState, SaslStep
from postroad.proto.sasl.server_plain import login, plain
from postroad.proto.sasl.server_token import external, xoauth2

SESSION = a_session()


class FakeJudge:
    def __init__(self):
        self.error: Exception | None = None
        self.gate: asyncio.Future[None] | None = None

    def full(self, username):
        return username if "@" in username else f"{username}@here"

    async def password(self, username, password, session):
        assert session is SESSION
        if self.gate is not None:
            await self.gate
        if self.error is not None:
            raise self.error
        return (username, password) == ("joe@here", "secret")

    async def token(self, username, token):
        return "joe" if token == "t" else ""

    async def certificate(self, username, session):
        return "ann@there"


@pytest.fixture
def judge():
    return FakeJudge()


async def test_names_get_their_domain(judge):
    assert await LocalExchange(plain, judge, SESSION).step(b"\0joe\0secret") == SaslStep(
        SaslState.DONE, username="joe@here"
    )
    failed = await LocalExchange(plain, judge, SESSION).step(b"\0joe\0x")
    assert failed == SaslStep(SaslState.FAILED, username="joe@here", reason="authentication failure")
    assert (await LocalExchange(plain, judge, SESSION).step(b"x")).username == ""
    assert (
        await LocalExchange(xoauth2, judge, SESSION).step(b"user=joe\1auth=Bearer t\1\1")
    ).username == "joe@here"
    assert (await LocalExchange(external, judge, SESSION).step(b"")).username == "ann@there"


async def test_challenges_are_raw(judge):
    exchange = LocalExchange(login, judge, SESSION)
    assert await exchange.step(None) == SaslStep(SaslState.MORE, challenge=b"Username:")
    assert (await exchange.step(b"joe")).challenge == b"Password:"
    assert (await exchange.step(b"secret")).state is SaslState.DONE
    assert (await exchange.step(b"secret")).state is SaslState.FAILED


@pytest.mark.parametrize(
    "error", [AuthUnavailable("busy"), TableUnavailable("open users: gone"), RuntimeError("s3cret")]
)
async def test_what_could_not_be_looked_up_is_no_answer(judge, error):
    judge.error = error
    exchange = LocalExchange(plain, judge, SESSION)
    step = await exchange.step(b"\0joe\0secret")
    assert step.state is SaslState.UNAVAILABLE
    assert "s3cret" not in step.reason
    judge.error = None
    assert (await exchange.step(b"\0joe\0secret")).state is SaslState.FAILED


async def test_a_client_that_gave_up_is_not_logged_in(judge):
    judge.gate = asyncio.get_running_loop().create_future()
    exchange = LocalExchange(plain, judge, SESSION)
    step = asyncio.ensure_future(exchange.step(b"\0joe\0secret"))
    await asyncio.sleep(0)
    exchange.cancel()
    judge.gate.set_result(None)
    assert (await step).state is SaslState.FAILED


async def test_a_step_that_is_cancelled_is_over(judge):
    judge.gate = asyncio.get_running_loop().create_future()
    exchange = LocalExchange(plain, judge, SESSION)
    step = asyncio.ensure_future(exchange.step(b"\0joe\0secret"))
    await asyncio.sleep(0)
    step.cancel()
    with pytest.raises(asyncio.CancelledError):
        await step
    assert (await exchange.step(b"")).state is SaslState.FAILED
