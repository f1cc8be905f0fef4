"""What may be a host name, and what an address: Postfix's own, stricter than the DNS's, view."""

from __future__ import annotations

import ipaddress
import re

import idna

#: RFC 1035 2.3.4: 63 octets in a label; Postfix's VALID_HOSTNAME_LEN for the whole.
_LABEL, _NAME = 63, 255
_PLAIN = re.compile(r"(?!.*\.\.)[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?", re.IGNORECASE)
_BAD_HYPHEN = re.compile(r"(?:^|\.)-|-(?:\.|$)")


def ascii_name(name: str) -> str | None:
    """Return a domain name with its U-labels made A-labels (RFC 5890); None if that cannot be done."""
    if name.isascii():
        return name
    try:
        return idna.encode(name, uts46=True, transitional=False).decode("ascii")
    except (idna.IDNAError, UnicodeError, ValueError):
        return None


def hostname_flaw(name: str) -> str:
    """Return what makes this no host name, in Postfix's words; "" if it is one.

    Underscores pass, because names with them exist.  A name of digits and dots alone does not: it
    could be taken for an address.
    """
    if not name:
        return "empty hostname"
    converted = ascii_name(name)
    if converted is None:
        return "malformed UTF-8 or domain name"
    if len(converted) > _NAME:
        return f"bad length {len(converted)}"
    if not _PLAIN.fullmatch(converted):
        return "misplaced delimiter" if converted.replace(".", "").isalnum() else "invalid character"
    if _BAD_HYPHEN.search(converted):
        return "misplaced hyphen"
    if any(len(label) > _LABEL for label in converted.split(".")):
        return "hostname label too long"
    if converted.replace(".", "").isdigit():
        return "numeric hostname"
    return ""


def is_hostname(name: str) -> bool:
    """Return whether this may be a host name."""
    return not hostname_flaw(name)


def is_address(text: str) -> bool:
    """Return whether this is an IP address, in its bare form."""
    return bare_address(text) is not None


def bare_address(text: str) -> str | None:
    """Return an IP address in its canonical form; None if the text is not one.  No scope, no port."""
    if len(text) > 45:  # the longest form: IPv6 with an IPv4 tail
        return None
    try:
        return str(ipaddress.ip_address(text)) if "%" not in text else None
    except ValueError:
        return None


def literal_address(domain: str) -> str | None:
    """Return the address in an address literal ``[192.0.2.1]`` or ``[IPv6:...]``; None if it is none.

    IPv6 without its tag is none, as in Postfix's valid_mailhost_literal.
    """
    # RFC 5321 4.1.3
    if not (domain.startswith("[") and domain.endswith("]")):
        return None
    inside = domain[1:-1]
    if inside[:5].lower() == "ipv6:":
        address = bare_address(inside[5:])
        return address if address and ":" in address else None
    address = bare_address(inside)
    return address if address and ":" not in address else None


def plain_address(address: str) -> str:
    """Return an address without its scope, and IPv4 in an IPv6 shell (``::ffff:1.2.3.4``) bare."""
    address = address.partition("%")[0]
    if address[:7].lower() == "::ffff:":
        mapped = ipaddress.IPv6Address(address).ipv4_mapped
        if mapped is not None:
            return str(mapped)
    return address
