"""Logging in at another server: which mechanism, and its exchange (SASL, RFC 4422; AUTH, RFC 4954).

No sockets and no base64: that is SMTP's affair.  The words for what fails are those of the SASL
library that Postfix has, since they stand in its log.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Sequence

from postroad.proto.sasl.client_oauth import OauthBearer, Xoauth2
from postroad.proto.sasl.client_password import CramMd5, External, Login, Plain
from postroad.proto.sasl.client_scram import Scram
from postroad.proto.sasl.client_values import ClientExchange, Credentials, SaslError

__all__ = ["MECHANISMS", "OPTIONS", "ClientExchange", "Credentials", "SaslError", "allowed", "choose"]

#: What smtp_sasl_security_options may name.
OPTIONS = frozenset({"noplaintext", "noactive", "nodictionary", "noanonymous", "mutual_auth"})

_SCRAM = frozenset({"noplaintext", "noactive", "noanonymous", "mutual_auth"})
#: The mechanisms, strongest first, and which of the options each satisfies.  A token on an
#: unencrypted line is as good as a password, so "noplaintext" is not among those of the last but two.
MECHANISMS: dict[str, frozenset[str]] = {
    "SCRAM-SHA-256-PLUS": _SCRAM,
    "SCRAM-SHA-1-PLUS": _SCRAM,
    "SCRAM-SHA-256": _SCRAM,
    "SCRAM-SHA-1": _SCRAM,
    "EXTERNAL": frozenset({"noplaintext", "nodictionary", "noanonymous"}),
    "CRAM-MD5": frozenset({"noplaintext", "noanonymous"}),
    "OAUTHBEARER": frozenset({"nodictionary", "noanonymous"}),
    "XOAUTH2": frozenset({"nodictionary", "noanonymous"}),
    "PLAIN": frozenset({"noanonymous"}),
    "LOGIN": frozenset({"noanonymous"}),
}
_TOKEN = frozenset({"OAUTHBEARER", "XOAUTH2"})
_NO_PASSWORD = frozenset({"EXTERNAL"})
#: RFC 9266 first: it is the only one that TLS 1.3 lets a relay not copy.
_BINDINGS = ("tls-exporter", "tls-server-end-point")

NO_MECHANISM = "no mechanism available"


def allowed(offered: Sequence[str], matches: Callable[[str], bool] | None = None) -> list[str]:
    """Return the offered mechanisms that this client has and ``smtp_sasl_mechanism_filter`` lets pass.

    ``matches`` is the filter, None for none.  Names come back in upper case, each once.
    """
    names = dict.fromkeys(name.upper() for name in offered)
    return [name for name in names if name in MECHANISMS and (matches is None or matches(name))]


def choose(
    offered: Sequence[str],
    credentials: Credentials,
    *,
    options: Collection[str] = (),
    matches: Callable[[str], bool] | None = None,
    binding: Callable[[str], bytes] | None = None,
    tls: bool = False,
    host: str = "",
    port: int = 0,
    nonce: Callable[[], str] = lambda: secrets.token_urlsafe(24),
) -> ClientExchange | str:
    """Return an exchange by the strongest mechanism that may be used, or the words for why there is none.

    ``offered`` is the server's list; ``options`` are those of ``smtp_sasl_security_options`` (or its
    TLS forms) that hold now; ``binding`` gives the channel's data by type, b"" for none; ``host`` and
    ``port`` are the server's.
    """
    if "\0" in credentials.username + credentials.password + credentials.authzid:
        return "bad protocol / invalid parameters: a NUL in the user name or password"
    names = set(allowed(offered, matches))
    bound = _bound(binding) if tls else ("", b"")
    for name, has in MECHANISMS.items():
        if name not in names or not has.issuperset(options):
            continue
        if not _fits(name, credentials, tls=tls, bound=bool(bound[1])):
            continue
        if name.startswith("SCRAM"):
            # RFC 5802 6: "y" tells a server that does offer it that somebody has struck it from its list.
            knows = bool(bound[1]) and not any(each.upper().endswith("-PLUS") for each in offered)
            return Scram(name, credentials, nonce(), bound, knows=knows)
        if name == "OAUTHBEARER":
            return OauthBearer(credentials, host, port)
        return _SIMPLE[name](credentials)
    return NO_MECHANISM


_SIMPLE: dict[str, Callable[[Credentials], ClientExchange]] = {
    "EXTERNAL": External,
    "CRAM-MD5": CramMd5,
    "XOAUTH2": Xoauth2,
    "PLAIN": Plain,
    "LOGIN": Login,
}


def _fits(name: str, credentials: Credentials, *, tls: bool, bound: bool) -> bool:
    if name in _TOKEN:
        # RFC 7628 1: only over TLS, since whoever sees the token has it.
        return credentials.token and tls and "\x01" not in credentials.username + credentials.password
    if credentials.token:
        return False
    if name in _NO_PASSWORD:
        return tls and not credentials.password
    return bound or not name.endswith("-PLUS")


def _bound(binding: Callable[[str], bytes] | None) -> tuple[str, bytes]:
    if binding is not None:
        for kind in _BINDINGS:
            data = binding(kind)
            if data:
                return kind, data
    return "", b""
