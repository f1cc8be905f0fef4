"""Logging in at other servers: with which user and password, by which mechanisms, and whether again."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Sequence
from typing import NamedTuple

from postroad.base.clock import Clock
from postroad.base.params import Param, Settings
from postroad.delivery.smtp import login_params as p
from postroad.delivery.smtp.tokens import Tokens
from postroad.mail.address import Extensions
from postroad.model.params import DOUBLE_BOUNCE_SENDER, RECIPIENT_DELIMITER
from postroad.net.cache import Cache
from postroad.proto.sasl import client as sasl
from postroad.proto.sasl.client import ClientExchange, Credentials
from postroad.tables.context import TableContext
from postroad.tables.maps import IsLocal, Maps
from postroad.tables.matchlist import StringList

#: Refused logins that are remembered; who has more relays than this has other troubles.
_REFUSED = 1000


class Refusal(NamedTuple):
    """What a server said to a login: the enhanced status, softened if it is to be, and the whole reply."""

    status: str
    reply: str


class Logins:
    """The logins of one client program, ``smtp`` or ``lmtp``.

    ValueError for settings that cannot be used.  ``is_local`` says whether a domain is ours: then a
    sender is also looked up by its local part alone.
    """

    def __init__(self, settings: Settings, program: str, tables: TableContext, clock: Clock, *, is_local: IsLocal | None = None) -> None:  # fmt: skip  # noqa: E501
        specs = settings[p.SASL_PASSWORD_MAPS[program]]
        if not specs:
            name = p.SASL_PASSWORD_MAPS[program].name
            raise ValueError(f"specify a password table via the `{name}' configuration parameter")
        self._maps = Maps(specs, tables, is_local=is_local)
        names = settings[p.SASL_MECHANISM_FILTER[program]]
        self._filter = StringList(names, tables)
        levels: tuple[p.Pair[tuple[str, ...]], ...] = (
            p.SASL_SECURITY_OPTIONS,
            p.SASL_TLS_SECURITY_OPTIONS,
            p.SASL_TLS_VERIFIED_SECURITY_OPTIONS,
        )
        self._options = tuple(_options(settings, pair[program]) for pair in levels)
        #: Look for the sender's own login; connections must not be shared between senders then.
        self.by_sender = program == "smtp" and settings[p.SENDER_DEPENDENT_AUTHENTICATION]
        #: Whether a login that is refused defers the mail, whatever the digits of the reply.
        self.soft = settings[p.SASL_AUTH_SOFT_BOUNCE[program]]
        self._authzid = settings[p.SEND_CYRUS_SASL_AUTHZID]
        self._extensions = Extensions(
            settings[RECIPIENT_DELIMITER],
            settings[DOUBLE_BOUNCE_SENDER],
            settings.texts.get("owner_request_special", "yes") == "yes",
        )
        self._tokens = Tokens()
        remembers = bool(settings[p.SASL_AUTH_CACHE_NAME[program]])
        self._refused: Cache[tuple[bytes, Refusal]] = Cache(clock, _REFUSED if remembers else 0)
        self._seconds = settings[p.SASL_AUTH_CACHE_TIME[program]]
        self._salt = secrets.token_bytes(16)

    async def find(self, *, sender: str, nexthop: str, host: str, port: int = 0) -> Credentials | None:  # noqa: ARG002 - Postfix has no key with the port
        """Return with what to log in, None: talk like a stranger.

        Keys are asked for in Postfix's order: with ``by_sender`` the sender's address and its shorter
        forms; the host's name; the next hop as it is written, with its ``[]`` and ``:port``.
        TableUnavailable when it could not look: the mail is deferred, not sent without a login.
        """
        value = None
        if self.by_sender and sender:
            found = await self._maps.find_address(sender, self._extensions)
            value = None if found is None else found.value
        if value is None:
            value = await self._maps.find(host)
        if value is None:
            value = await self._maps.find(nexthop)
        return None if value is None else self._read(value)

    def _read(self, value: str) -> Credentials:
        """Read ``username:password``, ``username:{OAUTH}token`` or ``username:{OAUTHFILE}/path``."""
        username, _, password = value.partition(":")
        authzid = username if self._authzid else ""
        token = self._tokens.read(password)
        if token is not None:
            return Credentials(username, token, authzid, token=True)
        return Credentials(username, password, authzid)

    async def mechanisms(self, offered: Sequence[str]) -> list[str]:
        """Return those of a server's mechanisms that the filter lets pass, whether we have them or not.

        TableUnavailable: could not look.
        """
        if not self._filter:
            return list(offered)
        return [name for name in offered if await self._filter.matches(name)]

    def begin(
        self,
        mechanisms: Sequence[str],
        credentials: Credentials,
        *,
        offered: Sequence[str] = (),
        tls: bool = False,
        verified: bool = False,
        host: str = "",
        port: int = 0,
        binding: Callable[[str], bytes] | None = None,
    ) -> ClientExchange | str:
        """Begin with the strongest mechanism of ``mechanisms``; a text says why there is none.

        ``offered`` is what the server said before the filter; ``binding`` the session's ``TlsPipe.export``.
        """
        allowed = frozenset(name.upper() for name in mechanisms)
        return sasl.choose(
            offered or mechanisms,
            credentials,
            options=self._options[2 if tls and verified else 1 if tls else 0],
            matches=allowed.__contains__,
            binding=binding,
            tls=tls,
            host=host,
            port=port,
        )

    def refused(self, host: str, credentials: Credentials, code: int, status: str, reply: str) -> Refusal:
        """Note that a server has refused a login, and return what becomes of the mail."""
        if self.soft and code // 100 == 5:
            status = "4" + status[1:]
        refusal = Refusal(status, reply)
        if code == 535:
            self._refused.put(_key(host, credentials), (self._digest(credentials), refusal), self._seconds)
        return refusal

    def remembered(self, host: str, credentials: Credentials) -> Refusal | None:
        """Return what the server said to this very login lately, None when it may be tried."""
        found = self._refused.get(_key(host, credentials))
        if found is None or found[0] != self._digest(credentials):
            return None
        return found[1]

    def _digest(self, credentials: Credentials) -> bytes:
        # A password that was wrong is near the right one: it does not stay in memory.
        secret = credentials.password.encode("utf-8", "surrogateescape")
        return hashlib.blake2b(secret, key=self._salt, digest_size=16).digest()


def open_logins(settings: Settings, program: str, tables: TableContext, clock: Clock, *, is_local: IsLocal | None = None) -> Logins | None:  # fmt: skip  # noqa: E501
    """Return the logins of a program, None when it is not to log in anywhere; ValueError as ``Logins``."""
    if not settings[p.SASL_AUTH_ENABLE[program]]:
        return None
    return Logins(settings, program, tables, clock, is_local=is_local)


def _options(settings: Settings, param: Param[tuple[str, ...]]) -> frozenset[str]:
    """Return security options; ValueError for one that is none."""
    options = frozenset(word.lower() for word in settings[param])
    unknown = sorted(options - sasl.OPTIONS)
    if unknown:
        text = settings.texts.get(param.name, "")
        raise ValueError(f'{param.name}: unknown SASL security options value "{unknown[0]}" in "{text}"')
    return options


def _key(host: str, credentials: Credentials) -> tuple[str, str]:
    return host.lower(), credentials.username
