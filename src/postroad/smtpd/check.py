"""What ``postroad check`` says about TLS and AUTH of a service."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from postroad.auth.params import AUTH_ENABLE, SECURITY_OPTIONS
from postroad.base.errors import Problem, Severity
from postroad.base.params import Settings
from postroad.net.tls.params import SMTPD_TLS_REQ_CCERT
from postroad.smtpd import params as p
from postroad.smtpd.settings import TlsLevel, tls_level

Where = Callable[[str], str]
#: Services whose clients begin with TLS (RFC 8314), and one whose clients never do.
_WRAPPED = ("465", "smtps", "submissions")
_RELAY = ("25", "smtp")


def check(settings: Settings, where: Where, service: str) -> list[Problem]:
    """Return what is wrong with a service, called as in master.cf; ``where`` gives a parameter's place."""
    level = tls_level(settings)
    found = [*_levels(settings, level), *_logins(settings, level), *_ports(level, service)]
    return [Problem(where(name), text, hint, Severity.WARNING) for name, text, hint in found]


def _levels(settings: Settings, level: TlsLevel) -> Iterator[tuple[str, str, str]]:
    said = settings[p.TLS_LEVEL]
    if level is TlsLevel.ENCRYPT and said not in ("", "encrypt"):
        text = f"smtpd_tls_security_level = {said}: a server has no such level: taken for encrypt"
        yield p.TLS_LEVEL.name, text, "smtpd_tls_req_ccert = yes demands a trusted certificate of each client"
    if settings[SMTPD_TLS_REQ_CCERT] and level in (TlsLevel.PLAIN, TlsLevel.MAY):
        text = "smtpd_tls_req_ccert: no certificate is demanded where clients may do without TLS"
        yield SMTPD_TLS_REQ_CCERT.name, text, "smtpd_tls_security_level = encrypt"


def _logins(settings: Settings, level: TlsLevel) -> Iterator[tuple[str, str, str]]:
    if not settings[AUTH_ENABLE] or level in (TlsLevel.ENCRYPT, TlsLevel.WRAPPER):
        return
    if level is TlsLevel.PLAIN and settings[p.TLS_AUTH_ONLY]:
        text = "smtpd_tls_auth_only: there is no TLS, so nobody can log in"
        yield p.TLS_AUTH_ONLY.name, text, "smtpd_tls_security_level = may"
    elif not settings[p.TLS_AUTH_ONLY] and "noplaintext" not in settings[SECURITY_OPTIONS]:
        hint = "smtpd_tls_auth_only = yes"
        if level is TlsLevel.PLAIN:
            hint = f"smtpd_tls_security_level = may, {hint}"
        yield AUTH_ENABLE.name, "clients may send their passwords over the network in plain text", hint


def _ports(level: TlsLevel, service: str) -> Iterator[tuple[str, str, str]]:
    port = service.rpartition(":")[2]
    if port in _WRAPPED and level is not TlsLevel.WRAPPER:
        text = f"service {service}: clients of this port begin with TLS, and the service does not"
        yield p.TLS_WRAPPERMODE.name, text, "-o smtpd_tls_wrappermode=yes in master.cf"
    if port in _RELAY and level is TlsLevel.WRAPPER:
        text = f"service {service}: other servers never begin with TLS, and can bring no mail"
        yield p.TLS_WRAPPERMODE.name, text, "smtpd_tls_wrappermode = yes is for port 465 alone, in master.cf"
