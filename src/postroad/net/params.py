"""Parameters that only this room obeys: the DNS, names of clients, and where the SMTP client connects."""

from __future__ import annotations

from typing import Any

from postroad.base.kinds import BOOL, INT, LIST, STRING, choice
from postroad.base.params import Group, Kind, Param

params = Group("net")

RESOLVER_ADDRESSES = params.declare(
    "resolver_addresses",
    LIST,
    "",
    "The DNS servers to ask, host or [host]:port; empty for those of /etc/resolv.conf.",
    own=True,
)
RESOLVER_CACHE_LIMIT = params.declare(
    "resolver_cache_limit",
    INT,
    "10000",
    "How many DNS answers are remembered; 0 for none.",
    low=0,
    own=True,
)
SMTPD_PEERNAME_LOOKUP = params.declare(
    "smtpd_peername_lookup", BOOL, "yes", "Look up the host name of a client; no makes every client unknown."
)
DISABLE_DNS_LOOKUPS = params.declare(
    "disable_dns_lookups", BOOL, "no", "Do not look up MX records; hosts are looked up by smtp_host_lookup."
)
IGNORE_MX_LOOKUP_ERROR = params.declare(
    "ignore_mx_lookup_error",
    BOOL,
    "no",
    "Look for an address record when the MX look-up fails, instead of deferring the mail.",
)
BEST_MX_TRANSPORT = params.declare(
    "best_mx_transport",
    STRING,
    "",
    "The transport:nexthop for mail whose best MX host this system is; empty returns it as a loop.",
)


def _prefixed(suffix: str, kind: Kind[Any], default: str, doc: str, **rest: Any) -> dict[str, Param[Any]]:
    """Declare the parameter of the SMTP client and its twin of the LMTP client."""
    return {
        program: params.declare(f"{program}_{suffix}", kind, default, f"{name}: {doc}", **rest)
        for program, name in (("smtp", "SMTP client"), ("lmtp", "LMTP client"))
    }


ADDRESS_PREFERENCE = _prefixed(
    "address_preference",
    choice("any", "ipv4", "ipv6"),
    "any",
    "the addresses tried first among hosts of equal preference: ipv4, ipv6, or any of them.",
)
MX_ADDRESS_LIMIT = _prefixed(
    "mx_address_limit",
    INT,
    "5",
    "the most addresses of a destination that one delivery tries; 0 for no limit.",
    low=0,
)
BALANCE_INET_PROTOCOLS = _prefixed(
    "balance_inet_protocols",
    BOOL,
    "yes",
    "keep both IPv4 and IPv6 addresses when the address limit cuts the list.",
)
RANDOMIZE_ADDRESSES = _prefixed(
    "randomize_addresses", BOOL, "yes", "try hosts of equal preference in random order."
)
HOST_LOOKUP = _prefixed(
    "host_lookup",
    LIST,
    "dns",
    "where host addresses are looked up: dns, native (the hosts file, then the DNS), or both.",
)
DNS_SUPPORT_LEVEL = _prefixed(
    "dns_support_level",
    choice("", "disabled", "enabled", "dnssec"),
    "",
    "whether the DNS is asked; empty means enabled unless disable_dns_lookups is set.",
)
DEFER_IF_NO_MX_ADDRESS_FOUND = _prefixed(
    "defer_if_no_mx_address_found",
    BOOL,
    "no",
    "defer mail when no MX record leads to an address, instead of returning it.",
)


DNS_REPLY_FILTER: dict[str, Param[tuple[str, ...]]] = {
    program: params.declare(
        f"{program}_dns_reply_filter",
        LIST,
        "",
        f"{name}: the tables that are asked about each record of a DNS answer, as 'name ttl IN type data';"
        " IGNORE takes it out.",
    )
    for program, name in (("smtp", "SMTP client"), ("lmtp", "LMTP client"), ("smtpd", "SMTP server"))
}


def _parse_probe(text: str) -> str:
    kind, colon, name = text.strip().partition(":")
    if text.strip() and not (colon and name and kind.upper() in ("A", "AAAA", "MX", "NS", "TXT")):
        raise ValueError("expected type:name such as ns:., with the type a, aaaa, mx, ns or txt")
    return text.strip()


DNSSEC_PROBE = params.declare(
    "dnssec_probe",
    Kind("type:name", _parse_probe, str),
    "ns:.",
    "What is asked to find out whether the resolver validates, when DANE has found nothing validated;"
    " empty to ask nothing.",
)
TLS_DANE_DIGESTS = params.declare(
    "tls_dane_digests",
    LIST,
    "sha512 sha256",
    "The digests of TLSA records that are used, the preferred first; a weaker one beside it is ignored.",
)
