"""What the DNS says of a name that a client gave."""

from __future__ import annotations

from enum import Enum

from postroad.base.errors import LookupUnavailable
from postroad.model.ports import Resolver
from postroad.net.filtered import AllDropped
from postroad.net.hostname import ascii_name
from postroad.proto.hostname import valid_address, valid_hostname


class Found(Enum):
    """What became of a look-up; FAILED is "could not look"."""

    FOUND = "found"
    MISSING = "not there"
    FAILED = "could not look"
    NULL_MX = "takes no mail"  # RFC 7505
    MALFORMED = "nonsense"
    DROPPED = "left out by smtpd_dns_reply_filter"


async def find_host(resolver: Resolver, name: str) -> Found:
    """Look for an address or a mail exchanger of a host, even one that takes no mail."""
    if not valid_hostname(name):
        return Found.MISSING
    addresses = await _find_addresses(resolver, name)
    if addresses is Found.FOUND:
        return addresses
    exchangers = await _find_exchangers(resolver, name)
    if exchangers in (Found.FOUND, Found.NULL_MX):
        return Found.FOUND
    return _in_doubt(addresses, exchangers) or exchangers


async def find_mail_host(resolver: Resolver, domain: str) -> Found:
    """Look for a mail exchanger of a domain, or else an address (RFC 5321 5.1)."""
    name = ascii_name(domain) or domain
    if not valid_hostname(name):
        return Found.MISSING
    exchangers = await _find_exchangers(resolver, name)
    if exchangers not in (Found.MISSING, Found.FAILED):
        return exchangers
    addresses = await _find_addresses(resolver, name)
    if addresses is Found.FOUND:
        return addresses
    return _in_doubt(addresses, exchangers) or Found.MISSING


def _in_doubt(*found: Found) -> Found | None:
    """Return why it is not known whether there is something, None when it is."""
    return next((each for each in (Found.FAILED, Found.DROPPED) if each in found), None)


async def _find_addresses(resolver: Resolver, name: str) -> Found:
    try:
        return Found.FOUND if await resolver.addresses(name) else Found.MISSING
    except AllDropped:
        return Found.DROPPED
    except LookupUnavailable:
        return Found.FAILED


async def _find_exchangers(resolver: Resolver, name: str) -> Found:
    try:
        exchangers = await resolver.mx(name)
    except AllDropped:
        return Found.DROPPED
    except LookupUnavailable:
        return Found.FAILED
    if not exchangers:
        return Found.MISSING
    if any(valid_hostname(host) or valid_address(host) for _, host in exchangers):
        return Found.FOUND
    return Found.MALFORMED if all(host for _, host in exchangers) else Found.NULL_MX
