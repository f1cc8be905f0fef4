"""Access tables: ``check_..._access type:table`` (access(5))."""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine, Sequence
from functools import lru_cache
from types import CoroutineType
from typing import Any

from postroad.auth.params import AUTH_ENABLE
from postroad.base.errors import TableUnavailable
from postroad.mail.address import (
    Extensions,
    Key,
    access_keys,
    domain_keys,
    fold,
    needs_quotes,
    network_keys,
)
from postroad.model.params import DOUBLE_BOUNCE_SENDER, OWNER_REQUEST_SPECIAL, RECIPIENT_DELIMITER
from postroad.model.reply import Reply
from postroad.policy import query as q
from postroad.policy.action import Actions, Subject
from postroad.policy.basics import broken
from postroad.policy.envelope import Envelope, is_plain
from postroad.policy.params import NULL_ACCESS_LOOKUP_KEY
from postroad.policy.query import Query
from postroad.policy.services import Services
from postroad.policy.trail import Hit
from postroad.policy.verdict import PERMIT, Check, ServerError, Verdict
from postroad.proto.hostname import valid_address
from postroad.tables.maps import Maps
from postroad.tables.matchlist import parents_of

#: Makes a check from: services, the restriction's name, its argument, the list's own access check.
Taker = Callable[[Services, str, str, str], Check]


#: Addresses that are looked up as they are: nothing is resolved, quoted or taken off.
_SIMPLE = re.compile(r"[A-Za-z0-9_+=-]+(?:\.[A-Za-z0-9_+=-]+)*@(?:[A-Za-z0-9-]+\.)+[A-Za-z0-9-]+")


class AccessTable:
    """One table of one list.  ValueError for a table that cannot be opened."""

    __slots__ = ("_actions", "_log", "_maps", "_parents", "_spec")

    def __init__(self, services: Services, spec: str, default: str) -> None:
        self._log = services.log
        self._spec = spec
        self._maps = Maps((spec,), services.tables)
        self._actions = Actions(services, spec, default)
        self._parents = parents_of(services.settings, "smtpd_access_maps")

    def domain_keys(self, domain: str) -> list[Key]:
        """Return a domain and its parents; a number has none."""
        return [Key(domain)] if valid_address(domain) else domain_keys(domain, parents=self._parents)

    def lacks(self, address: str, extensions: Extensions) -> bool:
        """Return whether the table is known to have none of an address's keys: the short way to most answers.

        False where it has one, or where the address or the table is not a simple one.
        """
        at = address.find("@")
        for delimiter in extensions.delimiter:
            if 0 <= address.find(delimiter) < at:
                return False
        try:
            words = self._maps.words()
        except TableUnavailable:
            return False
        if words is None or _SIMPLE.fullmatch(address) is None:
            return False
        folded = address.lower()
        return (
            folded not in words
            and folded[: at + 1] not in words
            and words.keys().isdisjoint(_folded_keys(folded[at + 1 :], self._parents))
        )

    def address_keys(self, address: str, extensions: Extensions) -> list[Key]:
        """Return the keys of a mail address."""
        return access_keys(address, extensions, parents=self._parents)

    async def find(self, keys: Sequence[Key]) -> Hit | None:
        """Return the first key that is there, and its value; TableUnavailable: could not look."""
        maps = self._maps
        local, at, _ = keys[0].text.rpartition("@")
        if not maps.now or (at and needs_quotes(local)):
            for key in keys:
                found = await maps.find_keys((key,))
                if found is not None:
                    return Hit(self._spec, key.text, found.value)
            return None
        for key in keys:  # the same without what quotes need
            value = maps.find_now(key.text, partial=key.partial)
            if value is not None:
                return Hit(self._spec, key.text, value)
        return None

    def judge(
        self, query: Query, keys: Sequence[Key], subject: Subject
    ) -> Verdict | Coroutine[Any, Any, Verdict]:
        """Do the same as ``ask``, at once where nothing waits and the table knows none of the keys."""
        maps = self._maps
        local, at, _ = keys[0].text.rpartition("@")
        if not maps.now or (at and needs_quotes(local)):
            return self.ask(query, keys, subject)
        try:
            found = maps.first_now(keys)
        except TableUnavailable as error:
            return self.refuse(query, error, subject)
        return None if found is None else self.do(query, Hit(self._spec, *found), subject)

    async def ask(self, query: Query, keys: Sequence[Key], subject: Subject) -> Verdict:
        """Do what the table says of the first key that it knows; refuse for now if it cannot be asked."""
        try:
            hit = await self.find(keys)
        except TableUnavailable as error:
            return self.refuse(query, error, subject)
        return None if hit is None else await self.do(query, hit, subject)

    async def do(self, query: Query, hit: Hit, subject: Subject) -> Verdict:
        """Do what a value says."""
        query.hit = hit
        return await self._actions.do(query, hit.value, subject)

    def refuse(self, query: Query, error: TableUnavailable, subject: Subject) -> Reply:
        """Return the refusal for a table that could not be asked, which warn_if_reject makes a warning."""
        self._log.warning("smtpd", str(error))
        query.hit = Hit(self._spec, "", "", str(error))
        return Reply(451, "4.3.5", f"<{subject.name}>: {subject.kind} rejected: Server configuration error")


@lru_cache(1000)
def _folded_keys(domain: str, parents: bool) -> tuple[str, ...]:
    return tuple(key.text for key in domain_keys(domain, parents=parents))


def client(services: Services, spec: str, default: str) -> Check:
    """``check_client_access``: the client's name, its parents, its address, its networks."""
    table = AccessTable(services, spec, default)

    def check(query: Query) -> Verdict | Coroutine[Any, Any, Verdict]:
        client = query.session.client
        keys = table.domain_keys(client.name) + network_keys(client.address)
        return table.judge(query, keys, Subject(client.named_address, q.CLIENT, client.name))

    return check


def reverse_client(services: Services, spec: str, default: str) -> Check:
    """``check_reverse_client_hostname_access``: the same with the name that nobody has confirmed."""
    table = AccessTable(services, spec, default)

    def check(query: Query) -> Verdict | Coroutine[Any, Any, Verdict]:
        client = query.session.client
        keys = table.domain_keys(client.reverse_name) + network_keys(client.address)
        return table.judge(query, keys, Subject(client.reverse_name, q.REVERSE_CLIENT, client.reverse_name))

    return never_permits(check, "check_reverse_client_hostname_access", reverse_name)


def helo(services: Services, spec: str, default: str) -> Check:
    """``check_helo_access``: the name in HELO or EHLO, and its parents."""
    table = AccessTable(services, spec, default)

    def check(query: Query) -> Verdict | Coroutine[Any, Any, Verdict]:
        name = query.session.helo
        return table.judge(query, table.domain_keys(name), Subject(name, q.HELO, name)) if name else None

    return check


def etrn(services: Services, spec: str, default: str) -> Check:
    """``check_etrn_access``: the domain in ETRN, and its parents."""
    table = AccessTable(services, spec, default)

    def check(query: Query) -> Verdict | Coroutine[Any, Any, Verdict]:
        name = query.domain
        return table.judge(query, table.domain_keys(name), Subject(name, q.ETRN, name)) if name else None

    return check


def login(services: Services, spec: str, default: str) -> Check:
    """``check_sasl_access``: the name under which the client has logged in."""
    table, enabled = AccessTable(services, spec, default), services.settings[AUTH_ENABLE]

    def check(query: Query) -> Coroutine[Any, Any, Verdict] | None:
        name = query.session.sasl_username
        if not name or not enabled:
            return None
        shown = "".join(char if char.isprintable() else "_" for char in name)
        return table.ask(query, [Key(name)], Subject(shown, q.LOGIN, name))

    return check


def sender(services: Services, spec: str, default: str) -> Check:
    """``check_sender_access``: the address in MAIL FROM; its parts; for the null sender a key of its own.

    Tables of patterns, too, are asked about it, and about recipients, in lower case.
    """
    table, envelope = AccessTable(services, spec, default), Envelope(services)
    extensions, null = extensions_of(services), Key(services.settings[NULL_ACCESS_LOOKUP_KEY])

    async def ask(query: Query, address: str) -> Verdict:
        meaning = await envelope.meaning(address, query)
        folded = fold(meaning.address)
        keys = table.address_keys(folded, extensions)
        return await table.ask(query, keys, Subject(address, q.SENDER, folded))

    def check(query: Query) -> Verdict | Coroutine[Any, Any, Verdict]:
        address = query.session.transaction.sender
        if address is None or table.lacks(address, extensions):
            return None
        if not address:
            return table.judge(query, [null], Subject("", q.SENDER, null.text)) if null.text else None
        if is_plain(address):
            folded = fold(address)
            return table.judge(
                query, table.address_keys(folded, extensions), Subject(address, q.SENDER, folded)
            )
        return ask(query, address)

    return check


def recipient(services: Services, spec: str, default: str) -> Check:
    """``check_recipient_access``: the address in RCPT TO, and its parts.

    An address with routing in it (``user%other@here``) is not permitted by any table.
    """
    table, envelope = AccessTable(services, spec, default), Envelope(services)
    extensions = extensions_of(services)

    async def ask(query: Query) -> Verdict:
        meaning = await envelope.meaning(query.recipient, query)
        folded = fold(meaning.address)
        keys = table.address_keys(folded, extensions)
        verdict = await table.ask(query, keys, Subject(query.recipient, q.RECIPIENT, folded))
        return None if verdict is PERMIT and meaning.suspicious else verdict

    def check(query: Query) -> Verdict | Coroutine[Any, Any, Verdict]:
        address = query.recipient
        if table.lacks(address, extensions):
            return None
        if address and is_plain(address):
            folded = fold(address)
            keys = table.address_keys(folded, extensions)
            return table.judge(query, keys, Subject(address, q.RECIPIENT, folded))
        return ask(query) if address else None

    return check


def extensions_of(services: Services) -> Extensions:
    """Return how local parts are split."""
    settings = services.settings
    return Extensions(
        settings[RECIPIENT_DELIMITER], settings[DOUBLE_BOUNCE_SENDER], settings[OWNER_REQUEST_SPECIAL]
    )


def reverse_name(query: Query) -> str:
    """Return the client's unconfirmed name."""
    return query.session.client.reverse_name


def never_permits(check: Check, name: str, target: Callable[[Query], str]) -> Check:
    """Return a check whose OK is an error: what it looks at can be chosen by whoever owns a zone."""

    async def guarded(query: Query) -> Verdict:
        answer: Any = check(query)
        verdict: Verdict = await answer if answer.__class__ is CoroutineType else answer
        if verdict is not PERMIT or query.discarded:
            return verdict
        raise ServerError(
            f"restriction {name} returns OK for {target(query)}; this is not allowed for security reasons; "
            "use DUNNO instead of OK if you want to make an exception"
        )

    return guarded


def taking_table(make: Callable[[Services, str, str], Check]) -> Taker:
    """Return the maker of a check from a restriction whose argument is a table."""

    def taker(services: Services, name: str, argument: str, default: str) -> Check:
        if ":" not in argument:
            return broken(f'restriction {name}: bad argument "{argument}": need maptype:mapname')
        return make(services, argument, default)

    return taker
