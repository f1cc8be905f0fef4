"""``smtpd_sasl_type = postroad``: the mechanisms are ours, and so is the look at the users."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from postroad.auth.accounts import AuthUnavailable
from postroad.base.errors import TableUnavailable
from postroad.model.sasl import SaslState, SaslStep
from postroad.model.session import Session
from postroad.proto.sasl.server import (
    Challenge,
    CheckCertificate,
    CheckPassword,
    CheckToken,
    Done,
    End,
    Exchange,
    FindSecret,
    Wish,
)


class Judge(Protocol):
    """Answers the questions of mechanisms.

    Raises AuthUnavailable or TableUnavailable for "could not look".
    """

    def full(self, username: str) -> str:
        """Return a user's name with its domain."""
        ...

    async def password(self, username: str, password: str, session: Session) -> bool:
        """Return whether the password is the user's."""
        ...

    async def secret(self, username: str, scheme: str, session: Session) -> Any:
        """Return what a mechanism needs to know of a user; see ``FindSecret``."""
        ...

    async def token(self, username: str, token: str) -> str:
        """Return whose a bearer token is, "" when it does not hold; see ``CheckToken``."""
        ...

    async def certificate(self, username: str, session: Session) -> str:
        """Return whose the client's certificate is, "" for nobody's."""
        ...


class LocalExchange:
    """Drives a mechanism (``proto.sasl.server``)."""

    def __init__(self, mechanism: Callable[[bytes | None], Exchange], judge: Judge, session: Session) -> None:
        self._mechanism = mechanism
        self._judge = judge
        self._session = session
        self._exchange: Exchange | None = None
        self._over = False

    async def step(self, response: bytes | None) -> SaslStep:
        """Take a response.  What cannot be looked up ends the exchange as unavailable."""
        if self._over:
            return SaslStep(SaslState.FAILED, reason="the exchange is over")
        try:
            return await self._advance(response)
        except (AuthUnavailable, TableUnavailable) as error:
            self.cancel()
            return SaslStep(SaslState.UNAVAILABLE, reason=str(error))
        except asyncio.CancelledError:
            self.cancel()
            raise
        except Exception as error:  # noqa: BLE001 - a defect is neither a yes nor a no
            self.cancel()
            return SaslStep(SaslState.UNAVAILABLE, reason=f"internal error: {type(error).__name__}")

    async def _advance(self, response: bytes | None) -> SaslStep:
        answer: Any = response
        try:
            if self._exchange is None:
                self._exchange = self._mechanism(response)
                wish = next(self._exchange)
            else:
                wish = self._exchange.send(answer)
            while not isinstance(wish, Challenge):
                answer = await self._ask(wish)
                if self._over:  # canceled meanwhile
                    return SaslStep(SaslState.FAILED, reason="canceled")
                wish = self._exchange.send(answer)
        except StopIteration as stop:
            self._over = True
            return self._end(stop.value)
        return SaslStep(SaslState.MORE, challenge=wish.data)

    def _ask(self, wish: Wish) -> Awaitable[Any]:
        judge, session = self._judge, self._session
        match wish:
            case CheckPassword(username, password):
                return judge.password(judge.full(username), password, session)
            case FindSecret(username, scheme):
                return judge.secret(judge.full(username), scheme, session)
            case CheckToken(username, token):
                return judge.token(username, token)
            case CheckCertificate(username):
                return judge.certificate(username, session)
        raise AssertionError(wish)  # pragma: no cover - Challenge is not asked

    def _end(self, end: End) -> SaslStep:
        username = self._judge.full(end.username) if end.username else ""
        if isinstance(end, Done):
            return SaslStep(SaslState.DONE, username=username)
        return SaslStep(SaslState.FAILED, username=username, reason=end.reason)

    def cancel(self) -> None:
        """Forget it; what is asked already is answered to nobody."""
        self._over = True
