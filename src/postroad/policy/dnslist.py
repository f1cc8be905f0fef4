"""Lists in the DNS: ``reject_rbl_client list``, ``permit_dnswl_client list=filter`` ... (RFC 5782)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from postroad.base.errors import LookupUnavailable
from postroad.base.log import Log
from postroad.model.ports import Resolver
from postroad.net.filtered import AllDropped
from postroad.net.hostname import ascii_name
from postroad.proto.dnsbl import Pattern, query_name
from postroad.proto.hostname import valid_address, valid_hostname

#: Characters of TXT records in a reply.
_REASON_LIMIT = 500


class Listing(NamedTuple):
    """What a list says of something that it has; ``reason`` is its TXT record."""

    reason: str


class DnsList:
    """One list, ``domain`` or ``domain=pattern``.  ValueError for a pattern that is none."""

    __slots__ = ("_log", "_pattern", "_resolver", "domain", "text")

    def __init__(self, text: str, resolver: Resolver, log: Log) -> None:
        self.text = text
        self.domain, _, pattern = text.partition("=")
        self._pattern = Pattern(pattern) if pattern else None
        self._resolver = resolver
        self._log = log

    async def find_address(self, address: str) -> Listing | None:
        """Look for a client's address.  LookupUnavailable when the list does not answer."""
        if not valid_address(address):
            return None
        return await self._find(query_name(address, self.domain))

    async def find_domain(self, what: str) -> Listing | None:
        """Look for a domain, or that of an address.  LookupUnavailable as above."""
        domain = what.rpartition("@")[2]
        if domain.rpartition(".")[2].isdigit():
            return None  # there are lists that answer "no IP queries" with a listing
        name = ascii_name(domain) or ""
        return await self._find(f"{name}.{self.domain}") if valid_hostname(name) else None

    async def _find(self, query: str) -> Listing | None:
        try:
            addresses: Sequence[str] = await self._resolver.addresses(query, 4)
        except LookupUnavailable as error:
            self._log.warning("smtpd", f"{query}: RBL lookup error: {error}")
            raise
        if self._pattern is not None:
            addresses = [address for address in addresses if self._pattern.matches(address)]
        return Listing(await self._reason(query)) if addresses else None

    async def _reason(self, query: str) -> str:
        try:
            texts = await self._resolver.txt(query)
        except LookupUnavailable as error:
            if isinstance(error, AllDropped):
                self._log.warning("smtpd", f"{query}: TXT lookup error: {error.why}")
            return ""
        return " / ".join(text.decode("utf-8", "replace") for text in texts)[:_REASON_LIMIT]
