"""The authenticator of ``smtpd_sasl_type = postroad``."""

from __future__ import annotations

from typing import Any

from postroad.auth import params as p
from postroad.auth.accounts import Accounts
from postroad.auth.local import LocalExchange
from postroad.auth.offer import PROPERTIES, Offer
from postroad.auth.verifier import Verifier, Workshop
from postroad.base.clock import Clock
from postroad.base.params import Settings
from postroad.model.session import Session
from postroad.proto.sasl import server_plain
from postroad.proto.sasl.server import Mechanism

_MECHANISMS: dict[str, Mechanism] = {"PLAIN": server_plain.plain, "LOGIN": server_plain.login}


class BuiltIn:
    """Offers our own mechanisms, and answers their questions from the users' table."""

    def __init__(self, settings: Settings, offer: Offer, accounts: Accounts, workshop: Workshop, clock: Clock) -> None:  # fmt: skip  # noqa: E501
        self._offer = offer
        self._accounts = accounts
        self._workshop = workshop
        self.verifier = Verifier(workshop, clock, settings[p.CACHE_TIME])
        domain = settings[p.LOCAL_DOMAIN]
        self._realm = f"@{domain}" if domain else ""
        self._names = _known(settings[p.MECHANISMS])
        self._offered: dict[bool, tuple[str, ...]] = {}

    def mechanisms(self, *, tls: bool) -> tuple[str, ...]:
        """Return what may be offered."""
        return tuple(name for name in self._names if self._offer.allows(name, PROPERTIES[name], tls=tls))

    def begin(self, mechanism: str, session: Session) -> LocalExchange:
        """Begin an exchange."""
        return LocalExchange(_MECHANISMS[mechanism], self, session)

    async def close(self) -> None:
        """Drop what waits to be checked."""
        self._workshop.close()

    # --- the judge

    def full(self, username: str) -> str:
        """Return a user's name with smtpd_sasl_local_domain behind it, if it has no domain."""
        return username if "@" in username else username + self._realm

    async def password(self, username: str, password: str, session: Session) -> bool:
        """Return whether the password is the user's."""
        stored = await self._accounts.find(username, session.client.address)
        return await self.verifier.check(username, password, stored, self._accounts.sample())

    async def secret(self, username: str, scheme: str, session: Session) -> Any:
        """Return what a mechanism needs to know of a user."""
        raise NotImplementedError

    async def token(self, token: str) -> str:
        """Return whose a bearer token is."""
        raise NotImplementedError

    async def certificate(self, session: Session) -> str:
        """Return whose the client's certificate is."""
        raise NotImplementedError


def _known(names: tuple[str, ...]) -> tuple[str, ...]:
    upper = tuple(dict.fromkeys(name.upper() for name in names))
    for name in upper:
        if name not in _MECHANISMS:
            raise ValueError(f"smtpd_sasl_mechanisms: {name}: expected some of {', '.join(_MECHANISMS)}")
    return upper
