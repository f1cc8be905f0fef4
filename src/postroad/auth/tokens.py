"""Bearer tokens of XOAUTH2 and OAUTHBEARER: JSON Web Tokens (RFC 7519) that an issuer has signed."""

from __future__ import annotations

import json
from typing import Any, Final

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from postroad.base.clock import Clock
from postroad.proto.sasl.server import BrokenResponse, name_of
from postroad.tables.context import TableContext
from postroad.tables.source import Source

#: Signatures by public keys alone: what checks a token cannot make one.
_ALGORITHMS: Final = (
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519",
)  # fmt: skip
_LEEWAY = 60.0  # seconds that clocks may differ


def read_keys(text: str) -> KeySet:
    """Read a JSON Web Key Set (RFC 7517).  ValueError for one that cannot be used."""
    try:
        data = json.loads(text)
        keys = [key for key in data["keys"] if key.get("kty") != "oct"]
        return KeySet.import_key_set({"keys": keys})
    except (JoseError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"no set of public keys: {error}") from None


class Tokens:
    """Says whose a token is.  ``path`` is a file of keys, which is followed when it changes."""

    def __init__(self, path: str, *, issuer: str, audience: str, claim: str, tables: TableContext, clock: Clock) -> None:  # fmt: skip  # noqa: E501
        self._keys = Source(path, read_keys, tables)
        self._issuer = issuer
        self._audience = audience
        self._claim = claim
        self._clock = clock

    def load(self) -> None:
        """Read the keys.  TableUnavailable when they cannot be read."""
        self._keys.get()

    def whose(self, token: str) -> str:
        """Return the user's name in lower case, "" when the token does not hold.

        TableUnavailable when the keys cannot be read.
        """
        keys = self._keys.get()
        try:
            claims = jwt.decode(token, keys, algorithms=_ALGORITHMS).claims
        except (JoseError, ValueError, KeyError, TypeError):
            return ""
        if not self._valid(claims):
            return ""
        name = claims.get(self._claim)
        if not isinstance(name, str) or (self._claim == "email" and claims.get("email_verified") is False):
            return ""
        try:
            return name_of(name.encode("utf-8", "surrogateescape"))
        except BrokenResponse:
            return ""

    def _valid(self, claims: dict[str, Any]) -> bool:
        audience = claims.get("aud")
        ours = self._audience in audience if isinstance(audience, list) else audience == self._audience
        if not ours or claims.get("iss") != self._issuer:
            return False
        now = self._clock.now()
        ends, begins = claims.get("exp"), claims.get("nbf", 0)
        if not all(isinstance(each, int | float) and not isinstance(each, bool) for each in (ends, begins)):
            return False
        return bool(begins - _LEEWAY <= now < ends + _LEEWAY)  # type: ignore[operator]  # RFC 7519 4.1.4
