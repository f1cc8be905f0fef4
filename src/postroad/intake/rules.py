"""The address rules of one configuration: which mappings apply to senders and recipients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum

from postroad.base.log import Log
from postroad.base.params import Param, Settings
from postroad.intake import params
from postroad.intake.aliases import Aliases, Limits
from postroad.intake.canonical import Mapping, Masquerade
from postroad.mail.address import Extensions
from postroad.mail.rewrite import Rewriter
from postroad.model import params as model
from postroad.net.interfaces import OwnAddresses
from postroad.tables.context import TableContext
from postroad.tables.maps import Maps
from postroad.tables.matchlist import StringList
from postroad.tables.ours import OwnDomains


class Role(Enum):
    """Where an address stands.  The value is its name in canonical_classes and masquerade_classes."""

    ENVELOPE_SENDER = "envelope_sender"
    ENVELOPE_RECIPIENT = "envelope_recipient"
    HEADER_SENDER = "header_sender"
    HEADER_RECIPIENT = "header_recipient"


#: The tables for one role: (parameter, its classes), in the order they are asked.
_CANONICAL: dict[str, tuple[tuple[Param[tuple[str, ...]], Param[tuple[str, ...]]], ...]] = {
    "sender": (
        (model.SENDER_CANONICAL_MAPS, params.SENDER_CANONICAL_CLASSES),
        (model.CANONICAL_MAPS, params.CANONICAL_CLASSES),
    ),
    "recipient": (
        (model.RECIPIENT_CANONICAL_MAPS, params.RECIPIENT_CANONICAL_CLASSES),
        (model.CANONICAL_MAPS, params.CANONICAL_CLASSES),
    ),
}


class AddressRules:
    """Canonical mapping, masquerading, aliases and automatic copies, as configured.

    ``aliases``, ``sender_copies`` and ``recipient_copies`` are None where nothing is configured, and
    ``maps(role)`` says whether ``apply`` has anything to do for a role, so that nothing costs nothing.
    """

    __slots__ = ("_canonical", "_log", "_masquerade", "aliases", "always_bcc", "recipient_copies", "sender_copies")  # fmt: skip  # noqa: E501

    def __init__(self, settings: Settings, tables: TableContext, rewriter: Rewriter, log: Log, own: OwnAddresses | None = None) -> None:  # fmt: skip  # noqa: E501
        mapped = "no_address_mappings" not in settings[model.RECEIVE_OVERRIDE_OPTIONS]
        propagated = settings[model.PROPAGATE_UNMATCHED_EXTENSIONS]
        extensions = Extensions(settings[model.RECIPIENT_DELIMITER], settings[model.DOUBLE_BOUNCE_SENDER])
        ours = OwnDomains(settings, tables, own.own + own.proxy if own else ())
        self._log = log

        def mapping(param: Param[tuple[str, ...]], source: str) -> Mapping | None:
            specs = settings[param] if mapped else ()
            if not specs:
                return None
            maps = Maps(specs, tables, is_local=ours.matches_or_origin)
            return Mapping(
                param.name, maps, extensions, rewriter.rewrite, log, propagate=source in propagated
            )

        self._canonical = {role: _canonical_for(role, settings, mapping) for role in Role}
        aliases = mapping(model.VIRTUAL_ALIAS_MAPS, "virtual")
        self.aliases = Aliases(aliases, Limits.of(settings), log) if aliases else None
        self.sender_copies = mapping(params.SENDER_BCC_MAPS, "")
        self.recipient_copies = mapping(params.RECIPIENT_BCC_MAPS, "")
        self.always_bcc = settings[params.ALWAYS_BCC] if mapped else ""
        self._masquerade = self._masquerades(settings, tables) if mapped else {}

    @staticmethod
    def _masquerades(settings: Settings, tables: TableContext) -> dict[Role, Masquerade]:
        domains = settings[params.MASQUERADE_DOMAINS]
        if not domains:
            return {}
        exceptions = settings[params.MASQUERADE_EXCEPTIONS]
        names = StringList(exceptions, tables) if exceptions else None
        masquerade = Masquerade(domains, names)
        return {role: masquerade for role in Role if role.value in settings[params.MASQUERADE_CLASSES]}

    @property
    def configured(self) -> bool:
        """Return whether anything of an envelope depends on tables or adds recipients."""
        return bool(
            self.aliases
            or self.sender_copies
            or self.recipient_copies
            or self.always_bcc
            or self.maps(Role.ENVELOPE_SENDER)
            or self.maps(Role.ENVELOPE_RECIPIENT)
        )

    def maps(self, role: Role) -> bool:
        """Return whether ``apply`` may change an address of this role."""
        return bool(self._canonical[role]) or role in self._masquerade

    async def apply(self, address: str, role: Role, queue_id: str) -> str:
        """Return a complete address as canonical tables and masquerading have it.  Raises RefusedError."""
        for mapping in self._canonical[role]:
            address = await mapping.canonical(address, queue_id)
        masquerade = self._masquerade.get(role)
        return await masquerade.apply(address, queue_id, self._log) if masquerade else address


def _canonical_for(role: Role, settings: Settings, mapping: Callable[[Param[tuple[str, ...]], str], Mapping | None]) -> Sequence[Mapping]:  # fmt: skip  # noqa: E501
    pairs = _CANONICAL[role.value.partition("_")[2]]
    found = [mapping(maps, "canonical") for maps, classes in pairs if role.value in settings[classes]]
    return tuple(one for one in found if one is not None)
