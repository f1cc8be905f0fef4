"""The expansion of aliases: which addresses a local name stands for, and in whose name they are sent to."""

from __future__ import annotations

from typing import NamedTuple

from postroad.base.params import Settings
from postroad.delivery.mailbox import params as p
from postroad.delivery.mailbox.aliases import Sort, read_alias
from postroad.mail.address import Extensions, fold
from postroad.mail.rewrite import Rewriter
from postroad.model import params as model
from postroad.tables.maps import Maps
from postroad.tables.ours import OwnDomains

_DEEPEST = 100
#: More addresses than this are no alias but a mistake.
_MOST = 10_000


class CannotExpandError(Exception):
    """The alias as a whole is not delivered: enhanced status code and reason."""

    def __init__(self, status: str, text: str) -> None:
        super().__init__(text)
        self.status = status


class Target(NamedTuple):
    """An address that an alias stands for; ``sender`` is "" unless an owner- alias speaks for the list."""

    address: str
    sender: str


class _Walk:
    """One expansion under way: the aliases on the way here, those that are done, what was found."""

    __slots__ = ("done", "path", "targets")

    def __init__(self) -> None:
        self.path: list[str] = []
        self.done: set[tuple[str, str, str]] = set()
        self.targets: dict[Target, None] = {}

    @property
    def name(self) -> str:
        """Return the alias whose members are looked at, "" before the first."""
        return self.path[-1] if self.path else ""


class Expander:
    """Expands aliases of local recipients, and aliases inside them."""

    def __init__(self, settings: Settings, aliases: Maps, ours: OwnDomains, extensions: Extensions) -> None:
        self._aliases = aliases
        self._ours = ours
        self._extensions = extensions
        self._rewriter = Rewriter(settings)
        self._special_owner = settings[model.OWNER_REQUEST_SPECIAL]
        self._expand_owner = settings[p.EXPAND_OWNER_ALIAS]
        self._keep_extension = "alias" in settings[model.PROPAGATE_UNMATCHED_EXTENSIONS]

    def names_of(self, address: str) -> tuple[str, str]:
        """Return the folded local part and its extension (with delimiter) of a local address."""
        local, at, rest = fold(address).rpartition("@")
        local = local if at else rest
        base, extension = self._extensions.strip(local)
        if "/" in extension:  # it would be part of a path somewhere
            return base, ""
        return local, extension

    async def expand(self, address: str) -> list[Target] | None:
        """Return what a local address stands for, None when it is no alias.

        CannotExpandError for an alias that cannot be delivered as a whole; TableUnavailable.
        """
        walk = _Walk()
        if not await self._follow(address, "", walk):
            return None
        return list(walk.targets)

    async def _follow(self, address: str, sender: str, walk: _Walk) -> bool:
        """Add what the address stands for; False when it is no alias."""
        local, extension = self.names_of(address)
        forms = [(local, "")]
        if extension:
            forms.append((local[: -len(extension)], extension if self._keep_extension else ""))
        for name, unmatched in forms:
            # An alias that has its own name in it means the user of that name.
            if not name or name == walk.name:
                continue
            value = await self._aliases.find(name)
            if value is None:
                continue
            if name in walk.path or len(walk.path) > _DEEPEST:
                raise CannotExpandError("5.4.6", f"alias database loop for {name}")
            sender = await self._owner(name) or sender
            # An alias that many lists have in common is expanded once for each sender.
            if (name, sender, unmatched) not in walk.done:
                walk.done.add((name, sender, unmatched))
                walk.path.append(name)
                await self._members(value, unmatched, sender, walk)
                walk.path.pop()
            return True
        return False

    async def _members(self, value: str, unmatched: str, sender: str, walk: _Walk) -> None:
        members = read_alias(value)
        if not members:
            raise CannotExpandError("4.3.0", "alias database unavailable")
        for member in members:
            if member.sort is not Sort.ADDRESS:
                raise CannotExpandError(
                    "4.3.0", f"alias {walk.name}: delivery to a {_WORDS[member.sort]} is not supported yet"
                )
            await self._address(self._whole(member.text, unmatched), sender, walk)

    async def _address(self, address: str, sender: str, walk: _Walk) -> None:
        if await self._ours.matches(address.rpartition("@")[2]):
            if await self._follow(address, sender, walk):
                return
            if self.names_of(address)[0] == walk.name:
                raise CannotExpandError(
                    "4.3.0", f"alias {walk.name}: mailboxes of system users are not delivered yet"
                )
        walk.targets[Target(address, sender)] = None
        if len(walk.targets) > _MOST:
            raise CannotExpandError("5.4.6", f"alias {walk.name} has more than {_MOST} addresses")

    def _whole(self, text: str, unmatched: str) -> str:
        address = self._rewriter.rewrite(text.removeprefix("\\"))
        if not unmatched:
            return address
        local, at, domain = address.rpartition("@")
        return f"{local}{unmatched}{at}{domain}"

    async def _owner(self, name: str) -> str:
        """Return the address that speaks for a list, "" when there is none."""
        if not self._special_owner:
            return ""
        value = await self._aliases.find(f"owner-{name}")
        if value is None:
            return ""
        return self._rewriter.rewrite(value.strip() if self._expand_owner else f"owner-{name}")


_WORDS = {Sort.COMMAND: "command", Sort.FILE: "file", Sort.INCLUDE: "list in a file (:include:)"}
