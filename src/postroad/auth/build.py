"""Makes the authenticator that a service's settings ask for."""

from __future__ import annotations

import asyncio

from postroad.auth import params as p
from postroad.auth.accounts import Accounts
from postroad.auth.builtin import BuiltIn
from postroad.auth.offer import Offer
from postroad.auth.users import UsersFile, UsersTable
from postroad.auth.verifier import Workshop
from postroad.base.clock import Clock
from postroad.base.log import Log
from postroad.base.params import Settings
from postroad.model.ports import Authenticator
from postroad.tables.context import TableContext


def authenticator(settings: Settings, tables: TableContext, log: Log, clock: Clock, loop: asyncio.AbstractEventLoop, *, workers: int = 1) -> Authenticator | None:  # fmt: skip  # noqa: E501, ARG001
    """Return who finds out who a service's clients are; None where nobody can log in.

    ``workers`` share the limits of failures.  ValueError for settings that cannot be used.
    """
    if not settings[p.AUTH_ENABLE]:
        return None
    offer = Offer(
        settings[p.SECURITY_OPTIONS], settings[p.TLS_SECURITY_OPTIONS], settings[p.MECHANISM_FILTER], tables
    )
    kind = settings[p.SASL_TYPE].lower()
    if kind == "postroad":
        workshop = Workshop(loop, settings[p.VERIFY_THREADS], settings[p.VERIFY_QUEUE])
        return BuiltIn(settings, offer, accounts(settings, tables), workshop, clock)
    raise ValueError(
        f"smtpd_sasl_type = {kind}: not supported; use dovecot, or postroad for a users file, tables or PAM"
    )


def accounts(settings: Settings, tables: TableContext) -> Accounts:
    """Return the users that smtpd_sasl_path names.  ValueError for what cannot be used."""
    path = settings[p.SASL_PATH]
    words = path.replace(",", " ").split()
    if path.startswith("/"):
        return UsersFile(path, tables)
    if words and all(":" in word for word in words):
        try:
            return UsersTable(words, tables)
        except ValueError as error:
            raise ValueError(f"smtpd_sasl_path: {error}") from None
    raise ValueError(f"smtpd_sasl_path = {path}: expected a users file /path, type:table, or pam:service")
