"""What is wrong with the client's settings of TLS, for ``check`` and before the server starts."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator

from postroad.base.errors import Problem, Severity
from postroad.base.params import Settings
from postroad.delivery.smtp import tls_params as p
from postroad.delivery.smtp.tls_policy import default_level
from postroad.net.hostname import hostname_flaw
from postroad.net.tls.ciphers import cipher_list, protocols

_WELCOME = frozenset({"none", "may"})
_NEEDS_AUTHORITY = frozenset({"verify", "secure"})

#: A parameter's name, what is wrong with it, what to do, how bad it is.
_Found = tuple[str, str, str, Severity]


def check_tls(settings: Settings, program: str, where: Callable[[str], str]) -> list[Problem]:
    """Return what is wrong with one client service; ``where`` says where a parameter stands."""
    return [
        Problem(where(name), text, hint, severity)
        for name, text, hint, severity in (*_values(settings, program), *_together(settings, program))
    ]


def _values(settings: Settings, program: str) -> Iterator[_Found]:
    """Find values that no handshake could be made with: mail would wait for ever."""
    for pair in (p.TLS_PROTOCOLS, p.TLS_MANDATORY_PROTOCOLS):
        name = pair[program].name
        try:
            protocols(settings[pair[program]])
        except ValueError as error:
            yield name, f"{name}: {error}", "for example: >=TLSv1.2", Severity.ERROR
    grades = (
        (p.TLS_CIPHERS, (p.TLS_EXCLUDE_CIPHERS,)),
        (p.TLS_MANDATORY_CIPHERS, (p.TLS_EXCLUDE_CIPHERS, p.TLS_MANDATORY_EXCLUDE_CIPHERS)),
    )
    for grade, excluded in grades:
        name = grade[program].name
        try:
            cipher_list(
                settings, settings[grade[program]], [x for each in excluded for x in settings[each[program]]]
            )
        except ValueError as error:
            yield name, f"{name}: {error}", "high, medium, low, export or null", Severity.ERROR
    name = p.TLS_FINGERPRINT_DIGEST[program].name
    digest = settings[p.TLS_FINGERPRINT_DIGEST[program]]
    try:
        hashlib.new(digest.lower(), usedforsecurity=False).digest()
    except (ValueError, TypeError):
        text = f'{name}: no message digest is called "{digest}", so TLS is off'
        yield name, text, "sha256", Severity.ERROR
    name = p.TLS_SERVERNAME[program].name
    wanted = settings[p.TLS_SERVERNAME[program]]
    if wanted and hostname_flaw(wanted):
        text = f"{name} = {wanted}: {hostname_flaw(wanted)}; mail with TLS is deferred"
        yield name, text, "a host name, or hostname, or nexthop", Severity.ERROR


def _together(settings: Settings, program: str) -> Iterator[_Found]:
    """Find settings that do not go together."""
    level = default_level(settings, program)
    name = p.TLS_SECURITY_LEVEL[program].name
    policies = settings[p.TLS_POLICY_MAPS[program]]
    if settings[p.TLS_WRAPPERMODE[program]] and level in _WELCOME and not policies:
        text = f'{p.TLS_WRAPPERMODE[program].name} requires "{name} = encrypt" (or stronger): no mail is sent'
        yield p.TLS_WRAPPERMODE[program].name, text, f"{name} = encrypt", Severity.WARNING
    if level == "fingerprint" and not settings[p.TLS_FINGERPRINT_CERT_MATCH[program]] and not policies:
        missing = p.TLS_FINGERPRINT_CERT_MATCH[program].name
        text = f"{name} = fingerprint, and {missing} is empty: no mail is sent"
        yield name, text, f"list the servers' fingerprints in {missing}", Severity.WARNING
    trusted = (
        settings[p.TLS_CAFILE[program]],
        settings[p.TLS_CAPATH[program]],
        settings[p.TLS_TRUST_ANCHOR_FILE[program]],
    )
    if level in _NEEDS_AUTHORITY and not any(trusted):
        text = f"{name} = {level}, and no authority is trusted: no mail is sent but where a policy says so"
        yield (
            name,
            text,
            f"{p.TLS_CAFILE[program].name} = /etc/ssl/certs/ca-certificates.crt",
            Severity.WARNING,
        )
    if policies and settings[p.TLS_PER_SITE[program]]:
        old, new = p.TLS_PER_SITE[program].name, p.TLS_POLICY_MAPS[program].name
        text = f"{old} has no effect beside {new}"
        yield old, text, f"move its entries to {new}", Severity.WARNING
