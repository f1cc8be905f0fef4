"""Restrictions about who may use which sender address: reject_..._sender_login_mismatch."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Final

from postroad.auth.params import AUTH_ENABLE
from postroad.mail.address import fold
from postroad.model.params import MYORIGIN
from postroad.model.reply import Reply
from postroad.model.route import AddressClass
from postroad.policy.access import extensions_of
from postroad.policy.envelope import Envelope
from postroad.policy.params import SENDER_LOGIN_MAPS
from postroad.policy.query import Query
from postroad.policy.services import Services
from postroad.policy.verdict import Check, Verdict
from postroad.tables.maps import Maps

_KNOWN: Final = "reject_known_sender_login_mismatch"
_LOGGED_IN: Final = "reject_authenticated_sender_login_mismatch"
_STRANGER: Final = "reject_unauthenticated_sender_login_mismatch"


class Owners:
    """Knows which logins own a sender address (smtpd_sender_login_maps)."""

    __slots__ = ("_envelope", "_extensions", "_maps", "_origin", "_services")

    def __init__(self, services: Services) -> None:
        self._services = services
        self._envelope = Envelope(services)
        self._extensions = extensions_of(services)
        self._origin = fold(services.settings[MYORIGIN])
        specs = services.settings[SENDER_LOGIN_MAPS]
        self._maps = Maps(specs, services.tables, is_local=self._is_local)

    async def find(self, query: Query, sender: str) -> tuple[str, ...] | None:
        """Return the owners, None when the address has none; TableUnavailable when it could not look."""
        if not self._maps:
            return None
        address = fold((await self._envelope.meaning(sender, query)).address)
        found = await self._maps.find_address(address, self._extensions)
        # Braces mean nothing here: they may be part of a name.
        return None if found is None else tuple(found.value.replace(",", " ").split())

    async def _is_local(self, domain: str) -> bool:
        if fold(domain) == self._origin:
            return True
        route = await self._services.router.route(f"postmaster@{domain}", "")
        return route.address_class is AddressClass.LOCAL


def reject_sender_login_mismatch(services: Services) -> Check:
    """``reject_sender_login_mismatch``: no to an address of somebody else, logged in or not."""
    return _checking(services, (_LOGGED_IN, _STRANGER), logged_in=_owned, stranger=_unowned)


def reject_authenticated_sender_login_mismatch(services: Services) -> Check:
    """``reject_authenticated_sender_login_mismatch``: no to an address that is not the client's own."""
    return _checking(services, (_LOGGED_IN,), logged_in=_owned)


def reject_unauthenticated_sender_login_mismatch(services: Services) -> Check:
    """``reject_unauthenticated_sender_login_mismatch``: no to somebody's address without a login."""
    return _checking(services, (_STRANGER,), stranger=_unowned)


def reject_known_sender_login_mismatch(services: Services) -> Check:
    """``reject_known_sender_login_mismatch``: the same, but what nobody owns is free to all."""
    return _checking(services, (_KNOWN,), logged_in=_owned_if_known, stranger=_unowned)


_Judge = Callable[[tuple[str, ...] | None, str, str], Verdict]


def _checking(services: Services, names: tuple[str, ...], *, logged_in: _Judge | None = None, stranger: _Judge | None = None) -> Check:  # fmt: skip  # noqa: E501
    if not services.settings[AUTH_ENABLE]:
        return _ignored(services, names)
    owners = Owners(services)

    async def ask(query: Query, sender: str, judge: _Judge) -> Verdict:
        return judge(await owners.find(query, sender), sender, query.session.sasl_username)

    def check(query: Query) -> Coroutine[Any, Any, Verdict] | None:
        sender = query.session.transaction.sender
        judge = logged_in if query.session.sasl_username else stranger
        return ask(query, sender, judge) if sender and judge else None

    return check


def _ignored(services: Services, names: tuple[str, ...]) -> Check:
    def check(_query: Query) -> Verdict:
        for name in names:
            services.log.warning("smtpd", f"restriction `{name}' ignored: no SASL support")
        return None

    return check


def _owned(owners: tuple[str, ...] | None, sender: str, login: str) -> Verdict:
    folded = fold(login)
    if any(fold(owner) == folded for owner in owners or ()):
        return None
    return _refused(sender, f"not owned by user {login}")


def _owned_if_known(owners: tuple[str, ...] | None, sender: str, login: str) -> Verdict:
    return None if owners is None else _owned(owners, sender, login)


def _unowned(owners: tuple[str, ...] | None, sender: str, _login: str) -> Verdict:
    return None if owners is None else _refused(sender, "not logged in")


def _refused(sender: str, why: str) -> Reply:
    return Reply(553, "5.7.1", f"<{sender}>: Sender address rejected: {why}")
