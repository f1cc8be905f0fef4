"""The recipient behind an address: routing in local parts is followed while the domain is our own.

``user%other@us``, ``other!user@us``, ``"user@other"@us`` and the like resolve to ``user@other``, so
that relay control sees where the mail would go.
"""

from __future__ import annotations

from typing import NamedTuple

from postroad.base.errors import TableUnavailable
from postroad.base.params import Settings
from postroad.mail.address import needs_quotes
from postroad.mail.rewrite import Rewriter
from postroad.model.params import (
    ALLOW_PERCENT_HACK,
    EMPTY_ADDRESS_RECIPIENT,
    MYHOSTNAME,
    RESOLVE_DEQUOTED_ADDRESS,
    RESOLVE_NULL_DOMAIN,
    RESOLVE_NUMERIC_DOMAIN,
    SWAP_BANGPATH,
)
from postroad.net.hostname import bare_address, is_hostname, literal_address
from postroad.tables.ours import OwnDomains


class Resolved(NamedTuple):
    """The recipient, its domain, whether that is our own, and whether it can be a domain at all."""

    recipient: str
    domain: str
    ours: bool
    valid: bool = True


class AddressResolver:
    """Resolves internal-form addresses.  Made once for each set of settings."""

    __slots__ = (
        "_bang",
        "_dequote",
        "_empty",
        "_hostname",
        "_null",
        "_numeric",
        "_ours",
        "_percent",
        "_rewriter",
    )

    def __init__(self, settings: Settings, ours: OwnDomains) -> None:
        self._ours = ours
        self._rewriter = Rewriter(settings)
        self._hostname = settings[MYHOSTNAME]
        self._empty = settings[EMPTY_ADDRESS_RECIPIENT]
        self._dequote = settings[RESOLVE_DEQUOTED_ADDRESS]
        self._null = settings[RESOLVE_NULL_DOMAIN]
        self._numeric = settings[RESOLVE_NUMERIC_DOMAIN]
        self._percent = settings[ALLOW_PERCENT_HACK]
        self._bang = settings[SWAP_BANGPATH]

    async def resolve(self, address: str) -> Resolved:
        """Return the recipient; TableUnavailable when mydestination could not be looked in."""
        remaining = address
        ours: str | None = None  # the domain of ours that was taken off last
        for _ in range(len(address) + 100):
            remaining = self._trim(remaining)
            if "@" in remaining:
                local, _, domain = remaining.rpartition("@")
                if domain and not await self._ours.matches(domain):
                    return await self._finish(remaining, domain, ours=False)
                remaining, ours = local, domain
            onward = self._onward(remaining)
            if onward is not None:
                remaining = onward
            elif not remaining:
                remaining = self._empty
            elif ours is not None:
                return await self._finish(f"{remaining}@{ours}", ours, ours=True)
            else:
                remaining = f"{remaining}@{self._hostname}"
        raise TableUnavailable(f"resolve_addr: <{address}>: giving up after {len(address) + 100} iterations")

    def _trim(self, address: str) -> str:
        """Take off one dot behind the domain, but leave what is wrong anyway as it is."""
        if address.endswith(".") and "@" in address and address[-2] not in ".@":
            address = address[:-1]
        return address[:-1] if self._null and address.endswith("@") else address

    def _onward(self, local: str) -> str | None:
        """Return the address that a local part of ours leads to, None when it is a user."""
        if not ("@" in local or (self._percent and "%" in local) or (self._bang and "!" in local)):
            return None
        if not needs_quotes(local):
            return self._rewriter.rewrite(local)
        if not self._dequote:
            return None
        if "@" not in local:
            if self._percent and "%" in local:
                local = "@".join(local.rsplit("%", 1))
            else:
                site, _, user = local.partition("!")
                local = f"{user}@{site}"
        return self._rewriter.rewrite(local)

    async def _finish(self, recipient: str, domain: str, *, ours: bool) -> Resolved:
        if domain.startswith("["):
            return Resolved(recipient, domain, ours, valid=literal_address(domain) is not None)
        if is_hostname(domain):
            return Resolved(recipient, domain, ours)
        # An address without brackets is no domain (RFC 5321 4.1.3).
        address = bare_address(domain) if self._numeric else None
        if address is None:
            return Resolved(recipient, domain, ours, valid=False)
        literal = f"[IPv6:{address}]" if ":" in address else f"[{address}]"
        recipient = recipient[: len(recipient) - len(domain)] + literal
        return Resolved(recipient, literal, await self._ours.matches(literal))
