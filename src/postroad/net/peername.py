"""The name of a client: what its address says, believed only if the name says that address."""

from __future__ import annotations

from postroad.base.errors import LookupUnavailable
from postroad.base.log import Event, Log
from postroad.model.client import Client
from postroad.model.ports import Resolver
from postroad.net.hostname import bare_address, hostname_flaw, plain_address
from postroad.net.hostsfile import HostsFile

VERIFIED, TEMPORARY, PERMANENT = 2, 4, 5

FORGED = Event(
    "smtpd",
    "warning: hostname %s does not resolve to address %s%s",
    "The name of the client's address does not lead back to the address; the client is called unknown.",
    urgent=True,
)
BAD_NAME = Event(
    "smtpd",
    "warning: %s in resource data of PTR record for %s: %.100s",
    "The name of the client's address is no host name; the client is called unknown.",
    urgent=True,
)

_TRY_AGAIN = ": Temporary failure in name resolution"
_NO_NAME = ": Name or service not known"
_NO_DATA = ": No address associated with hostname"


async def identify(client: Client, resolver: Resolver, hosts: HostsFile, log: Log) -> None:
    """Find out the client's name; sets its four name fields.  Never raises for what the DNS says.

    The hosts file is asked before the DNS, as getnameinfo(3) does.
    """
    client.name = client.reverse_name = "unknown"
    client.name_code = client.reverse_name_code = PERMANENT
    address = plain_address(client.address)
    try:
        name = hosts.name(address) or next(iter(await resolver.ptr(address)), "")
    except LookupUnavailable:
        client.name_code = client.reverse_name_code = TEMPORARY
        return
    if not name:
        return
    flaw = hostname_flaw(name)
    if flaw or bare_address(name):
        # Numeric names above all: they could pass for addresses in access tables.
        log.emit(BAD_NAME, flaw or "numeric hostname", address, name)
        return
    client.reverse_name, client.reverse_name_code = name, VERIFIED
    code, reason = await _verify(name, address, resolver, hosts)
    client.name_code = code
    if code == VERIFIED:
        client.name = name
    else:
        log.emit(FORGED, name, address, reason)


async def _verify(name: str, address: str, resolver: Resolver, hosts: HostsFile) -> tuple[int, str]:
    """Return the code, and Postfix's words for what is wrong."""
    family = 6 if ":" in address else 4
    known = hosts.addresses(name, family)
    if known:
        return (VERIFIED, "") if address in known else (PERMANENT, "")
    try:
        answer = await resolver.query(name, "AAAA" if family == 6 else "A")
    except LookupUnavailable:
        return TEMPORARY, _TRY_AGAIN
    if not answer.records:
        return PERMANENT, _NO_NAME if answer.nxdomain else _NO_DATA
    return (VERIFIED, "") if address in answer.records else (PERMANENT, "")
