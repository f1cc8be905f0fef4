"""Address classes (ADDRESS_CLASS_README): which list a domain stands in."""

from __future__ import annotations

from collections.abc import Iterable

from postroad.base.log import Event, Log
from postroad.base.params import Settings
from postroad.model.params import MYDESTINATION, RELAY_DOMAINS, VIRTUAL_ALIAS_DOMAINS, VIRTUAL_MAILBOX_DOMAINS
from postroad.model.route import AddressClass
from postroad.routing.params import HELPFUL_WARNINGS
from postroad.tables.context import TableContext
from postroad.tables.matchlist import DomainList, StringList, parents_of

BOTH = Event(
    "trivial-rewrite",
    "warning: do not list domain %s in BOTH %s and %s",
    "A domain stands in two lists; the first of them counts.",
    urgent=True,
)
_REMEMBERED = 1000  # warnings given once already


def is_literal(members: Iterable[str]) -> bool:
    """Return whether a list has neither tables nor files, so that it never changes."""
    return not any(
        text.startswith("/") or (":" in text and not text.startswith("["))
        for text in (member.lstrip("!") for member in members)
    )


class Classes:
    """Tells the class of a domain that is not local; and warns of domains in two classes."""

    __slots__ = ("_aliases", "_log", "_mailboxes", "_relay", "_said", "_warn", "fixed")

    def __init__(self, settings: Settings, context: TableContext, log: Log) -> None:
        aliases, mailboxes = settings[VIRTUAL_ALIAS_DOMAINS], settings[VIRTUAL_MAILBOX_DOMAINS]
        relay = settings[RELAY_DOMAINS]
        self._aliases = StringList(aliases, context)
        self._mailboxes = StringList(mailboxes, context)
        self._relay = DomainList(relay, context, parents=parents_of(settings, "relay_domains"))
        self._log = log
        self._said: set[tuple[str, str, str]] = set()
        # Asking a second server for the sake of a warning would double what it has to do.
        self._warn = settings[HELPFUL_WARNINGS] and all(
            each.now for each in (self._aliases, self._mailboxes, self._relay)
        )
        #: Whether nothing said here can change, so that it may be remembered.
        self.fixed = is_literal((*aliases, *mailboxes, *relay, *settings[MYDESTINATION]))

    async def of(self, domain: str, *, ours: bool) -> AddressClass:
        """Return the class; ``ours``: the domain matches mydestination or our addresses."""
        if ours:
            if self._warn:
                self._check(domain, "mydestination", virtual_alias_domains=True, virtual_mailbox_domains=True)
            return AddressClass.LOCAL
        if self._aliases and await self._aliases.matches(domain):
            if self._warn:
                self._check(domain, "virtual_alias_domains", virtual_mailbox_domains=True, relay_domains=True)
            return AddressClass.VIRTUAL_ALIAS
        if self._mailboxes and await self._mailboxes.matches(domain):
            if self._warn:
                self._check(domain, "virtual_mailbox_domains", relay_domains=True)
            return AddressClass.VIRTUAL_MAILBOX
        if self._relay and await self._relay.matches(domain):
            return AddressClass.RELAY
        return AddressClass.DEFAULT

    def _check(self, domain: str, first: str, **others: bool) -> None:
        lists = {
            "virtual_alias_domains": self._aliases,
            "virtual_mailbox_domains": self._mailboxes,
            "relay_domains": self._relay,
        }
        for name in others:
            said = (domain, first, name)
            if lists[name] and said not in self._said and lists[name].matches_now(domain):
                if len(self._said) < _REMEMBERED:
                    self._said.add(said)
                self._log.emit(BOTH, *said)
