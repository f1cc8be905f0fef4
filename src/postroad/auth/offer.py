"""Which mechanisms are offered: their properties, the security options, the filter."""

from __future__ import annotations

from collections.abc import Collection

from postroad.base import tasks
from postroad.tables.context import TableContext
from postroad.tables.matchlist import StringList

#: Options that shut out mechanisms which have a property, and those that demand one.
_FORBID = {
    "noplaintext": "plaintext",
    "noactive": "active",
    "nodictionary": "dictionary",
    "noanonymous": "anonymous",
}
_DEMAND = {"forward_secrecy": "forward-secrecy", "mutual_auth": "mutual-auth"}

_BEARER = frozenset({"plaintext", "active"})  # who reads the token can use it
_SCRAM = frozenset({"mutual-auth"})
#: The properties of our own mechanisms, in the words of Dovecot's protocol.
PROPERTIES: dict[str, frozenset[str]] = {
    "PLAIN": frozenset({"plaintext"}),
    "LOGIN": frozenset({"plaintext"}),
    "CRAM-MD5": frozenset({"dictionary", "active"}),
    "SCRAM-SHA-1": _SCRAM,
    "SCRAM-SHA-1-PLUS": _SCRAM,
    "SCRAM-SHA-256": _SCRAM,
    "SCRAM-SHA-256-PLUS": _SCRAM,
    "EXTERNAL": frozenset(),
    "XOAUTH2": _BEARER,
    "OAUTHBEARER": _BEARER,
}


class Offer:
    """Says of a mechanism whether it may be offered.  ValueError for an option that is not there."""

    def __init__(self, options: tuple[str, ...], tls_options: tuple[str, ...], filters: tuple[str, ...], tables: TableContext, parameter: str = "smtpd_sasl") -> None:  # fmt: skip  # noqa: E501
        self._options = {
            False: _checked(options, f"{parameter}_security_options"),
            True: _checked(tls_options, f"{parameter}_tls_security_options"),
        }
        try:
            self._filter = StringList(filters, tables)
        except ValueError as error:
            raise ValueError(f"{parameter}_mechanism_filter: {error}") from None

    def allows(self, name: str, properties: Collection[str], *, tls: bool) -> bool:
        """Return whether a mechanism with these properties may be offered."""
        for option in self._options[tls]:
            if option in _FORBID and _FORBID[option] in properties:
                return False
            if option in _DEMAND and _DEMAND[option] not in properties:
                return False
        return self._passes(name)

    def _passes(self, name: str) -> bool:
        if self._filter.now:
            return self._filter.matches_now(name)
        # A file answers at once; what has to be waited for, or fails, keeps the mechanism back.
        verdict: list[bool] = []
        tasks.start(self._filter.matches(name), lambda found, _error: verdict.append(found is True))
        return bool(verdict) and verdict[0]


def _checked(options: tuple[str, ...], parameter: str) -> tuple[str, ...]:
    words = tuple(word.lower() for word in options)
    for word in words:
        if word not in _FORBID and word not in _DEMAND:
            raise ValueError(f"{parameter}: {word}: expected some of {', '.join((*_FORBID, *_DEMAND))}")
    return words
