"""What is wrong with the settings of logins and of DANE, for ``check`` and before the server starts."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from postroad.base.clock import SystemClock
from postroad.base.errors import Problem, Severity
from postroad.base.params import Settings
from postroad.delivery.smtp import login_params as p
from postroad.delivery.smtp.logins import open_logins
from postroad.delivery.smtp.tls_check import check_tls
from postroad.net.dane import flaw, read_digests
from postroad.net.params import DNS_SUPPORT_LEVEL, TLS_DANE_DIGESTS
from postroad.tables.context import TableContext


def check_client(settings: Settings, program: str, where: Callable[[str], str], tables: TableContext) -> list[Problem]:  # fmt: skip  # noqa: E501
    """Return what is wrong with one client service; ``where`` says where a parameter stands."""
    return [
        *_logins(settings, program, where, tables),
        *_dane(settings, program, where),
        *check_tls(settings, program, where),
    ]


def _logins(settings: Settings, program: str, where: Callable[[str], str], tables: TableContext) -> Iterator[Problem]:  # fmt: skip  # noqa: E501
    enable, maps = p.SASL_AUTH_ENABLE[program].name, p.SASL_PASSWORD_MAPS[program].name
    try:
        logins = open_logins(settings, program, tables, SystemClock())
    except ValueError as error:
        named = str(error).partition(":")[0]
        yield Problem(where(named if named.endswith("_options") else enable), str(error))
        return
    if logins is None and settings[p.SASL_PASSWORD_MAPS[program]]:
        text = f"{maps} has no effect: {enable} = no, so nobody logs in"
        yield Problem(where(maps), text, f"{enable} = yes", Severity.WARNING)


def _dane(settings: Settings, program: str, where: Callable[[str], str]) -> Iterator[Problem]:
    digests = settings[TLS_DANE_DIGESTS]
    try:
        read_digests(digests)
    except ValueError as error:
        yield Problem(where(TLS_DANE_DIGESTS.name), f"{TLS_DANE_DIGESTS.name}: {error}")
        return
    name = f"{program}_tls_security_level"
    level = settings.texts.get(name, "").lower()
    words = flaw(settings, program) if level.startswith("dane") else ""
    if words:
        outcome = "no mail is sent" if level == "dane-only" else "TLS is only tried"
        hint = f"{DNS_SUPPORT_LEVEL[program].name} = dnssec, and a resolver that validates"
        yield Problem(where(name), f"{name} = {level} {words}: {outcome}", hint, Severity.WARNING)
