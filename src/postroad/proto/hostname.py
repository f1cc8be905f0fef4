"""What is a host name or an address literal, by Postfix's rules."""

from __future__ import annotations

import ipaddress
import re
import unicodedata

#: RFC 1035 2.3.4.
MAX_NAME, MAX_LABEL = 255, 63
_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_NUMERIC = re.compile(r"[0-9.]+")
_DOTS = re.compile("[.\u3002\uff0e\uff61]")  # UTS #46: these separate labels too
_OCTETS = re.compile(r"([0-9]{1,3})\.([0-9]{1,3})\.([0-9]{1,3})\.([0-9]{1,3})")
#: Unicode categories that no label has: controls, formats, surrogates, private, unassigned, blanks.
_UNFIT = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zs", "Zl", "Zp"})


def valid_hostname(name: str) -> bool:
    """Whether this is an ASCII host name: underscores are allowed, an all-numeric name is not one."""
    return len(name) <= MAX_NAME and _NAME.fullmatch(name) is not None and _NUMERIC.fullmatch(name) is None


def valid_unicode_hostname(name: str) -> bool:
    """Whether this is a host name whose labels may be U-labels (RFC 5890)."""
    if name.isascii():
        return valid_hostname(name)
    labels = [_a_label(label) for label in _DOTS.split(name)]
    return None not in labels and valid_hostname(".".join(label or "" for label in labels))


def _a_label(label: str) -> str | None:
    if label.isascii():
        return label
    mapped = unicodedata.normalize("NFKC", label.casefold())
    if any(unicodedata.category(char) in _UNFIT for char in mapped):
        return None
    return mapped if mapped.isascii() else "xn--" + mapped.encode("punycode").decode("ascii")


def valid_address(text: str) -> bool:
    """Whether this is an IPv4 or IPv6 address.  Octets may have leading zeros, as Postfix has it."""
    match = _OCTETS.fullmatch(text)
    if match is not None:
        octets = [int(octet) for octet in match.groups()]
        return max(octets) < 256 and (octets[0] > 0 or not any(octets))
    return ":" in text and "%" not in text and _is_ipv6(text)


def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


def valid_literal(text: str) -> bool:
    """Whether this is ``[192.0.2.1]`` or ``[IPv6:2001:db8::1]`` (RFC 5321 4.1.3)."""
    if not (text.startswith("[") and text.endswith("]")):
        return False
    inner = text[1:-1]
    if inner[:5].lower() == "ipv6:":
        return ":" in inner[5:] and valid_address(inner[5:])
    return ":" not in inner and valid_address(inner)
