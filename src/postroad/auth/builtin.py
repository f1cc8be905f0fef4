"""The authenticator of ``smtpd_sasl_type = postroad``."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

from postroad.auth.local import LocalExchange
from postroad.auth.offer import PROPERTIES, Offer
from postroad.auth.passwords import Passwords
from postroad.auth.tokens import Tokens
from postroad.auth.verifier import Workshop
from postroad.model.session import Session
from postroad.proto.sasl.server import Mechanism
from postroad.proto.sasl.server_cram import cram_md5
from postroad.proto.sasl.server_plain import login, plain
from postroad.proto.sasl.server_scram import scram
from postroad.proto.sasl.server_token import external, oauthbearer, xoauth2
from postroad.tables.maps import Maps

_SIMPLE: dict[str, Mechanism] = {
    "PLAIN": plain,
    "LOGIN": login,
    "OAUTHBEARER": oauthbearer,
    "XOAUTH2": xoauth2,
    "EXTERNAL": external,
}
_TOKEN = ("OAUTHBEARER", "XOAUTH2")
#: Mechanisms that need a stored password of a certain form.
_SECRET = ("SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-1", "CRAM-MD5")
#: Mechanisms that need TLS; a token is good for whoever sees it (RFC 7628 1).
_ENCRYPTED = ("SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS", "EXTERNAL", *_TOKEN)


def known_mechanisms(names: tuple[str, ...], *, secret: bool, tokens: bool, certificates: bool) -> tuple[str, ...]:  # fmt: skip  # noqa: E501
    """Return smtpd_sasl_mechanisms in upper case.  ValueError for one that could never succeed."""
    upper = tuple(dict.fromkeys(name.upper() for name in names))
    for name in upper:
        why = ""
        if name not in PROPERTIES:
            why = f"expected some of {', '.join(PROPERTIES)}"
        elif name in _SECRET and not secret:
            why = "PAM tells no secrets, so that only PLAIN and LOGIN work with it"
        elif name in _TOKEN and not tokens:
            why = "it needs smtpd_oauth_keys"
        elif name == "EXTERNAL" and not certificates:
            why = "it needs smtpd_sasl_external_maps"
        if why:
            raise ValueError(f"smtpd_sasl_mechanisms: {name}: {why}")
    if not upper:
        raise ValueError("smtpd_sasl_mechanisms is empty")
    return upper


class BuiltIn:
    """Offers our own mechanisms and answers their questions.

    ``hostname`` stands in challenges; ``domain`` is put behind names without one; ``allowed`` says
    whether a user may be asked for at all.
    """

    def __init__(
        self,
        offer: Offer,
        passwords: Passwords,
        workshop: Workshop,
        *,
        mechanisms: tuple[str, ...] = ("PLAIN", "LOGIN"),
        hostname: str = "localhost",
        domain: str = "",
        tokens: Tokens | None = None,
        certificates: Maps | None = None,
        allowed: Callable[[str, str], bool] = lambda _address, _username: True,
    ) -> None:
        self._offer = offer
        self.passwords = passwords
        self._workshop = workshop
        self._names = known_mechanisms(
            mechanisms,
            secret=passwords.secrets,
            tokens=tokens is not None,
            certificates=bool(certificates),
        )
        self._hostname = hostname
        self._realm = f"@{domain.lower()}" if domain else ""
        self._tokens = tokens
        self._certificates = certificates
        self._allowed = allowed

    def mechanisms(self, *, tls: bool) -> tuple[str, ...]:
        """Return what may be offered."""
        return tuple(
            name
            for name in self._names
            if (tls or name not in _ENCRYPTED) and self._offer.allows(name, PROPERTIES[name], tls=tls)
        )

    def begin(self, mechanism: str, session: Session) -> LocalExchange:
        """Begin an exchange."""
        return LocalExchange(self._mechanism(mechanism, session), self, session)

    def _mechanism(self, name: str, session: Session) -> Mechanism:
        if name in _SIMPLE:
            return _SIMPLE[name]
        nonce = secrets.token_urlsafe(18)
        if name == "CRAM-MD5":
            return cram_md5(f"<{nonce}@{self._hostname}>".encode())
        plus = name.removesuffix("-PLUS") + "-PLUS"
        tls = session.tls_facts is not None
        offered = tls and session.channel_binding is not None and plus in self.mechanisms(tls=True)
        return scram(name, nonce, binding=session.channel_binding, bound_offered=offered)

    async def close(self) -> None:
        """Drop what waits to be checked."""
        self._workshop.close()

    # --- the judge

    def full(self, username: str) -> str:
        """Return a user's name with smtpd_sasl_local_domain behind it, if it has no domain."""
        return username if "@" in username else username + self._realm

    async def password(self, username: str, password: str, session: Session) -> bool:
        """Return whether the password is the user's."""
        address = session.client.address
        if not self._allowed(address, username):
            return False
        return await self.passwords.check(username, password, address)

    async def secret(self, username: str, scheme: str, session: Session) -> Any:
        """Return what SCRAM or CRAM-MD5 needs to know of a user."""
        address = session.client.address
        if not self._allowed(address, username):
            username = ""  # nobody's: SCRAM would tell that a proof is right before it ends
        if scheme == "CRAM-MD5":
            return await self.passwords.cram(username, address)
        return await self.passwords.scram(username, scheme, address)

    async def token(self, username: str, token: str) -> str:
        """Return whose a bearer token is."""
        found = self._tokens.whose(token) if self._tokens is not None else ""
        return self._agreed(username, found)

    async def certificate(self, username: str, session: Session) -> str:
        """Return whose the client's certificate is: its fingerprints are keys of smtpd_sasl_external_maps.

        The handshake has proved that the client has the key.
        """
        peer = session.tls_facts.peer if session.tls_facts is not None else None
        if peer is None or self._certificates is None:
            return ""
        found = None
        for fingerprint in (peer.certificate_fingerprint, peer.key_fingerprint):
            found = found or (await self._certificates.find(fingerprint) if fingerprint else None)
        return self._agreed(username, (found or "").lower())

    def _agreed(self, claimed: str, found: str) -> str:
        """Return the user's name, "" when the client claims to be another."""
        if not found or (claimed and self.full(claimed) != self.full(found)):
            return ""
        return found
