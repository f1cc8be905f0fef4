"""An authenticator whose failures are counted and delayed."""

from __future__ import annotations

import asyncio

from postroad.auth.throttle import Throttle
from postroad.model.ports import Authenticator, SaslExchange
from postroad.model.sasl import SaslState, SaslStep
from postroad.model.session import Session

_ENDS = (SaslState.DONE, SaslState.FAILED)
#: Nobody guesses a key or a signature: who has them is let in, however many guess the user's password.
_NOT_GUESSED = frozenset({"EXTERNAL", "OAUTHBEARER", "XOAUTH2", "GSSAPI"})
TOO_MANY = "too many failed logins, try again later"


class ThrottledExchange:
    """One exchange of a ``Throttled``.  ``guessed``: what it proves is a password, and can be guessed."""

    def __init__(self, inner: SaslExchange, throttle: Throttle, address: str, loop: asyncio.AbstractEventLoop, *, guessed: bool) -> None:  # fmt: skip  # noqa: E501
        self._inner = inner
        self._throttle = throttle
        self._address = address
        self._loop = loop
        self._guessed = guessed
        self._pause: asyncio.Future[None] | None = None
        self._begun = False
        self._canceled = False

    async def step(self, response: bytes | None) -> SaslStep:
        """Take a response; a failure is told after a pause."""
        if not self._begun:
            self._begun = True
            if self._throttle.refuses(self._address):
                self._inner.cancel()
                return SaslStep(SaslState.FAILED, reason=TOO_MANY)
        step = await self._inner.step(response)
        if step.state in _ENDS and not self._canceled:
            return await self._end(step)
        return step

    async def _end(self, step: SaslStep) -> SaslStep:
        throttle, address, username = self._throttle, self._address, step.username
        if self._guessed and username and throttle.refuses(address, username):
            # A password that is right, perhaps guessed, gets the words and the pause of a wrong one.
            await self._wait(throttle.longest)
            return SaslStep(SaslState.FAILED, username=username, reason=TOO_MANY)
        if step.state is SaslState.DONE:
            throttle.succeeded(address, username)
        else:
            await self._wait(throttle.failed(address, username))
        return step

    async def _wait(self, seconds: float) -> None:
        if seconds <= 0 or self._canceled:
            return
        self._pause = self._loop.create_future()
        timer = self._loop.call_later(seconds, self._resume)
        try:
            await self._pause
        finally:
            timer.cancel()

    def _resume(self) -> None:
        if self._pause is not None and not self._pause.done():
            self._pause.set_result(None)

    def cancel(self) -> None:
        """End the exchange, and its pause."""
        self._canceled = True
        self._inner.cancel()
        self._resume()


class Throttled:
    """Wraps an authenticator."""

    def __init__(self, inner: Authenticator, throttle: Throttle, loop: asyncio.AbstractEventLoop) -> None:
        self.inner = inner
        self.throttle = throttle
        self._loop = loop

    def mechanisms(self, *, tls: bool) -> tuple[str, ...]:
        """Return what may be offered."""
        return self.inner.mechanisms(tls=tls)

    def begin(self, mechanism: str, session: Session) -> ThrottledExchange:
        """Begin an exchange."""
        inner = self.inner.begin(mechanism, session)
        guessed = mechanism not in _NOT_GUESSED
        return ThrottledExchange(inner, self.throttle, session.client.address, self._loop, guessed=guessed)

    async def close(self) -> None:
        """End connections to a back end."""
        await self.inner.close()
