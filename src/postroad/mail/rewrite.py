"""Addresses brought to their standard form, as trivial-rewrite(8) does it."""

from __future__ import annotations

from postroad.base.params import Settings
from postroad.mail.address import needs_quotes
from postroad.model import params


class Rewriter:
    """Completes and straightens internal-form addresses.  Made once for each set of settings."""

    __slots__ = ("_domain", "_origin", "_percent", "_remote", "_swap")

    def __init__(self, settings: Settings) -> None:
        append_origin = settings[params.APPEND_AT_MYORIGIN]
        append_domain = settings[params.APPEND_DOT_MYDOMAIN]
        remote = settings[params.REMOTE_HEADER_REWRITE_DOMAIN]
        self._origin = settings[params.MYORIGIN] if append_origin else ""
        self._domain = settings[params.MYDOMAIN] if append_domain else ""
        self._remote = (remote if append_origin else "", remote if append_domain else "")
        self._swap = settings[params.SWAP_BANGPATH]
        self._percent = settings[params.ALLOW_PERCENT_HACK]

    def rewrite(self, address: str, *, local: bool = True) -> str:
        """Return the standard form; ``local`` off completes it from remote_header_rewrite_domain.

        Source routes are dropped, ``site!user`` and ``user%site`` without a domain become
        ``user@site``, a missing domain or its missing end is appended, one dot behind it is dropped.
        An empty address stays empty.
        """
        at = address.rfind("@")
        # user@dotted.domain, nearly every address there is
        if at > 0 and address[0] != "@" and address[-1] != "." and address.find(".", at) > 0:
            return address
        return self._rewrite(address, local) if address else address

    def _rewrite(self, address: str, local: bool) -> str:
        if address[0] == "@":
            # RFC 5321 appendix C: a source route is ignored
            address = address.partition(":")[2] if ":" in address else address
        origin, parent = (self._origin, self._domain) if local else self._remote
        name, at, domain = address.rpartition("@")
        if not at:
            name, at, domain = self._complete(domain, origin)
        if parent and domain and "." not in domain and "[" not in domain:
            domain = f"{domain}.{parent}"
        # "user@." and "user@domain.." are left as they are: the error message shall show them
        if domain.endswith(".") and len(domain) > 1 and domain[-2] != ".":
            domain = domain[:-1]
        return f"{name}{at}{domain}"

    def _complete(self, name: str, origin: str) -> tuple[str, str, str]:
        if not needs_quotes(name):
            if self._swap and "!" in name:
                site, _, user = name.partition("!")
                return user, "@", site
            if self._percent and "%" in name:
                user, _, site = name.rpartition("%")
                return user, "@", site
        return (name, "@", origin) if origin else (name, "", "")
