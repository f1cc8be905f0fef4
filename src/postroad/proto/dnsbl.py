"""Entries of lists in the DNS: which answers count (``domain=127.0.[0..3;9].2``), and how much (``*2``)."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from postroad.proto.hostname import valid_hostname

_PART = r"(?:[0-9]{1,3}|\[[0-9]{1,3}(?:\.\.[0-9]{1,3})?(?:;[0-9]{1,3}(?:\.\.[0-9]{1,3})?)*\])"
_FILTER = re.compile(rf"({_PART})\.({_PART})\.({_PART})\.({_PART})")
_WEIGHT = re.compile(r"[+-]?[0-9]{1,9}")


class Pattern:
    """Addresses of the form ``127.0.[0..3;9].2``.  ValueError for a text of another form."""

    __slots__ = ("_octets",)

    def __init__(self, text: str) -> None:
        found = _FILTER.fullmatch(text)
        if found is None:
            raise ValueError(f"bad address pattern: {text}")
        self._octets = tuple(_numbers(part) for part in found.groups())

    def matches(self, address: str) -> bool:
        """Return whether an IPv4 address is one of them."""
        octets = address.split(".")
        return len(octets) == 4 and all(
            int(octet) in allowed for octet, allowed in zip(octets, self._octets, strict=True)
        )


def _numbers(part: str) -> frozenset[int]:
    numbers: set[int] = set()
    for piece in part.strip("[]").split(";"):
        first, _, last = piece.partition("..")
        low, high = int(first), int(last or first)
        if high > 255 or low > high:
            raise ValueError(f"bad address pattern: {part}")
        numbers.update(range(low, high + 1))
    return frozenset(numbers)


def query_name(address: str, domain: str) -> str:
    """Return under which name a list has an address (RFC 5782 2.1, 2.4).  ValueError if it is none."""
    pointer = ipaddress.ip_address(address).reverse_pointer
    return f"{pointer.removesuffix('.in-addr.arpa').removesuffix('.ip6.arpa')}.{domain}"


@dataclass(frozen=True, slots=True)
class Site:
    """One member of postscreen_dnsbl_sites."""

    domain: str
    pattern: Pattern | None
    weight: int

    def counts(self, address: str) -> bool:
        """Return whether this answer of the list counts."""
        return self.pattern is None or self.pattern.matches(address)


def site_of(text: str) -> Site:
    """Read ``domain[=pattern][*weight]``.  ValueError, in Postfix's words, says what is wrong with it."""
    name, star, weight = text.partition("*")
    if star and not _WEIGHT.fullmatch(weight):
        raise ValueError(f'bad DNSBL weight factor "{weight}" in "{text}"')
    domain, equals, pattern = name.partition("=")
    if not valid_hostname(domain):
        raise ValueError(f'bad DNSBL domain name "{domain}" in "{text}"')
    try:
        made = Pattern(pattern) if equals else None
    except ValueError as error:
        raise ValueError(f"bad DNSBL filter syntax: {error}") from error
    return Site(domain, made, int(weight) if star else 1)
