"""Makes the authenticator that a service's settings ask for."""

from __future__ import annotations

import asyncio
from weakref import WeakValueDictionary

from postroad.auth import params as p
from postroad.auth.accounts import Accounts
from postroad.auth.builtin import BuiltIn
from postroad.auth.dovecot import DovecotAuth, Place, place_of
from postroad.auth.offer import Offer
from postroad.auth.pam import PamPasswords
from postroad.auth.passwords import Passwords, StoredPasswords
from postroad.auth.throttle import Throttle
from postroad.auth.throttled import Throttled
from postroad.auth.tokens import Tokens
from postroad.auth.users import UsersFile, UsersTable
from postroad.auth.verifier import Verifier, Workshop
from postroad.base.clock import Clock
from postroad.base.kinds import split_list
from postroad.base.log import Log
from postroad.base.params import Settings
from postroad.model.params import MYHOSTNAME, QUEUE_DIRECTORY
from postroad.model.ports import Authenticator
from postroad.tables.context import TableContext
from postroad.tables.maps import Maps

#: A worker's part of the limit of failures is never less.
_LEAST = 3
_throttles: WeakValueDictionary[tuple[Clock, int, float, float], Throttle] = WeakValueDictionary()
UNSUPPORTED = "not supported; use dovecot, or postroad for a users file, tables or PAM"


def authenticator(settings: Settings, tables: TableContext, log: Log, clock: Clock, loop: asyncio.AbstractEventLoop, *, workers: int = 1) -> Authenticator | None:  # fmt: skip  # noqa: E501
    """Return who finds out who a service's clients are; None where nobody can log in.

    That is so, too, with Postfix's default smtpd_sasl_type = cyrus, which is not supported: ``check``
    says so.  ``workers`` share the limit of failures.  ValueError for settings that cannot be used.
    """
    kind = settings[p.SASL_TYPE].lower()
    if not settings[p.AUTH_ENABLE] or kind == "cyrus":
        return None
    offer = offer_of(settings, tables)
    throttle = throttle_of(settings, clock, workers)
    inner: Authenticator
    if kind == "dovecot":
        path, service = settings[p.SASL_PATH], settings[p.SASL_SERVICE]
        inner = DovecotAuth(path, sasl_place(settings), service, offer, log, loop)
    elif kind == "postroad":
        inner = built_in(settings, offer, throttle, tables, clock)
    else:
        raise ValueError(f"smtpd_sasl_type = {kind}: {UNSUPPORTED}")
    return Throttled(inner, throttle, loop)


def sasl_place(settings: Settings) -> Place:
    """Return where Dovecot listens.  ValueError for a smtpd_sasl_path that cannot be one."""
    try:
        return place_of(settings[p.SASL_PATH], settings[QUEUE_DIRECTORY])
    except ValueError as error:
        raise ValueError(f"smtpd_sasl_path: {error}") from None


def offer_of(settings: Settings, tables: TableContext) -> Offer:
    """Return what says which mechanisms may be offered.  ValueError for settings that cannot be used."""
    return Offer(
        settings[p.SECURITY_OPTIONS], settings[p.TLS_SECURITY_OPTIONS], settings[p.MECHANISM_FILTER], tables
    )


def throttle_of(settings: Settings, clock: Clock, workers: int = 1) -> Throttle:
    """Return a worker's count of failures: one for all services, and the same one after a reload."""
    limit = settings[p.FAILURE_LIMIT]
    share = max(_LEAST, -(-limit // workers)) if limit else 0
    seconds, longest = settings[p.FAILURE_TIME], settings[p.FAILURE_DELAY]
    key = (clock, share, seconds, longest)
    throttle = _throttles.get(key)
    if throttle is None:
        throttle = _throttles[key] = Throttle(clock, limit=share, seconds=seconds, longest=longest)
    return throttle


def built_in(settings: Settings, offer: Offer, throttle: Throttle, tables: TableContext, clock: Clock) -> BuiltIn:  # fmt: skip  # noqa: E501
    """Return the authenticator of our own type.  ValueError for settings that cannot be used."""
    workshop = Workshop(settings[p.VERIFY_THREADS], settings[p.VERIFY_QUEUE])
    certificates = settings[p.EXTERNAL_MAPS]
    try:
        maps = Maps(certificates, tables)
    except ValueError as error:
        raise ValueError(f"smtpd_sasl_external_maps: {error}") from None
    return BuiltIn(
        offer,
        passwords(settings, tables, workshop, clock),
        workshop,
        mechanisms=settings[p.MECHANISMS],
        hostname=settings[MYHOSTNAME],
        domain=settings[p.LOCAL_DOMAIN],
        tokens=tokens_of(settings, tables, clock),
        certificates=maps,
        allowed=lambda address, username: not throttle.refuses(address, username),
    )


def passwords(settings: Settings, tables: TableContext, workshop: Workshop, clock: Clock) -> Passwords:
    """Return who knows the passwords of smtpd_sasl_path.  ValueError for what cannot be used."""
    path = settings[p.SASL_PATH]
    if path.startswith("pam:"):
        return PamPasswords(path[4:], workshop)
    verifier = Verifier(workshop, clock, settings[p.CACHE_TIME])
    return StoredPasswords(accounts(path, tables), verifier, workshop)


def accounts(path: str, tables: TableContext) -> Accounts:
    """Return the users that smtpd_sasl_path names.  ValueError for what cannot be used."""
    words = split_list(path)  # braces keep an inline table together
    if path.startswith("/"):
        return UsersFile(path, tables)
    if words and all(":" in word for word in words):
        try:
            return UsersTable(words, tables)
        except ValueError as error:
            raise ValueError(f"smtpd_sasl_path: {error}") from None
    raise ValueError(f"smtpd_sasl_path = {path}: expected a users file /path, type:table, or pam:service")


def tokens_of(settings: Settings, tables: TableContext, clock: Clock) -> Tokens | None:
    """Return what knows bearer tokens; None without smtpd_oauth_keys.  ValueError."""
    keys = settings[p.OAUTH_KEYS]
    if not keys:
        return None
    for param in (p.OAUTH_ISSUER, p.OAUTH_AUDIENCE, p.OAUTH_CLAIM):
        # Without them anybody's token for anything would do.
        if not settings[param]:
            raise ValueError(f"{param.name} has to be set with smtpd_oauth_keys")
    return Tokens(
        tables.path(keys),
        issuer=settings[p.OAUTH_ISSUER],
        audience=settings[p.OAUTH_AUDIENCE],
        claim=settings[p.OAUTH_CLAIM],
        tables=tables,
        clock=clock,
    )
