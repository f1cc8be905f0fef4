"""Parameters of logging in at other servers; joined to the client's own in ``params``."""

from __future__ import annotations

from typing import Any, TypeVar

from postroad.base.kinds import BOOL, LIST, STRING, TIME_DAYS, choice
from postroad.base.params import Group, Kind, Param

T = TypeVar("T")
Pair = dict[str, Param[T]]  # by program: "smtp", "lmtp"

#: Handed over to the room's group by ``params``.
group = Group("delivery.smtp")


def _pair(suffix: str, kind: Kind[T], default: str, doc: str, **rest: Any) -> Pair[T]:
    return {
        program: group.declare(f"{program}_{suffix}", kind, default.format(program), f"{name}: {doc}", **rest)
        for program, name in (("smtp", "SMTP client"), ("lmtp", "LMTP client"))
    }


SASL_AUTH_ENABLE = _pair(
    "sasl_auth_enable", BOOL, "no", "log in at servers that sasl_password_maps knows a user and password for."
)
SASL_PASSWORD_MAPS = _pair(
    "sasl_password_maps",
    LIST,
    "",
    "the tables of username:password by sender, host name or next hop; a password {OAUTH}token or"
    " {OAUTHFILE}/path is an access token, for OAUTHBEARER and XOAUTH2.",
)
SASL_MECHANISM_FILTER = _pair(
    "sasl_mechanism_filter",
    LIST,
    "",
    "the mechanisms that may be used, names, /file or type:table, with ! in front those that may not;"
    " empty for all.",
)
SASL_SECURITY_OPTIONS = _pair(
    "sasl_security_options",
    LIST,
    "noplaintext, noanonymous",
    "what a mechanism must satisfy without TLS: noplaintext, noactive, nodictionary, noanonymous,"
    " mutual_auth.",
)
SASL_TLS_SECURITY_OPTIONS = _pair(
    "sasl_tls_security_options", LIST, "${}_sasl_security_options", "what a mechanism must satisfy with TLS."
)
SASL_TLS_VERIFIED_SECURITY_OPTIONS = _pair(
    "sasl_tls_verified_security_options",
    LIST,
    "${}_sasl_tls_security_options",
    "what a mechanism must satisfy with TLS and a server whose certificate is verified.",
)
SASL_TYPE = _pair(
    "sasl_type", choice("cyrus"), "cyrus", "the sort of SASL client; cyrus, and it means Postroad's own."
)
SASL_AUTH_SOFT_BOUNCE = _pair(
    "sasl_auth_soft_bounce", BOOL, "yes", "defer mail when a login is refused, instead of returning it."
)
SASL_AUTH_CACHE_NAME = _pair(
    "sasl_auth_cache_name",
    STRING,
    "",
    "when set, a login that a server has refused is not repeated with the same password for a while;"
    " it is remembered in memory, whatever table this names.",
)
SASL_AUTH_CACHE_TIME = _pair(
    "sasl_auth_cache_time", TIME_DAYS, "90d", "how long a refused login is remembered.", low=0
)
SENDER_DEPENDENT_AUTHENTICATION = group.declare(
    "smtp_sender_dependent_authentication",
    BOOL,
    "no",
    "SMTP client: look for a user and password by the sender's address first; connections are not kept.",
)
SEND_CYRUS_SASL_AUTHZID = group.declare(
    "send_cyrus_sasl_authzid", BOOL, "no", "Send the user name also as the one that is acted for."
)
