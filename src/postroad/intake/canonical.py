"""Address mapping: canonical(5), masquerading, and what a table's answer means as addresses."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Protocol

from postroad.base.errors import TableUnavailable
from postroad.base.log import Log
from postroad.intake.refusal import WRITE_ERROR, RefusedError
from postroad.mail.address import Extensions, fold
from postroad.mail.header_address import addresses
from postroad.tables.maps import Maps

_SIMPLE = re.compile(r'[^"\\()<>:;\[\]]*+')
_NESTING = 10  # how often canonical_maps is asked again with its own answer, as in Postfix


class Names(Protocol):
    """A list of names (``tables.matchlist.StringList``)."""

    async def matches(self, name: str, /) -> bool:
        """Return whether the name is in it."""
        ...


class Mapping:
    """Tables whose values are addresses: an answer becomes complete addresses.

    ``title`` is the parameter's name, for the log.  ``complete`` is the rewriting to standard form.
    """

    __slots__ = ("_complete", "_extensions", "_log", "_maps", "_propagate", "title")

    def __init__(self, title: str, maps: Maps, extensions: Extensions, complete: Callable[[str], str], log: Log, *, propagate: bool) -> None:  # fmt: skip  # noqa: E501
        self.title = title
        self._maps = maps
        self._extensions = extensions
        self._complete = complete
        self._log = log
        self._propagate = propagate

    async def find(self, address: str, queue_id: str) -> list[str]:
        """Return what an address becomes, nothing when no table knows it.  RefusedError: could not look."""
        try:
            found = await self._maps.find_address(address, self._extensions)
        except TableUnavailable as error:
            raise self._unavailable(error, queue_id, f" for {address}") from error
        if found is None:
            return []
        value, extension = found
        if value.startswith("@"):
            value = address.rpartition("@")[0] + value
            return [self._complete(value)]
        targets = [self._complete(target) for target in split_addresses(value)]
        if extension and self._propagate:
            return [_extended(target, extension) for target in targets]
        return targets

    async def text(self, address: str, queue_id: str) -> str:
        """Return the value for an address as it stands, "" when no table knows it.  RefusedError as above."""
        try:
            found = await self._maps.find_address(address, self._extensions)
        except TableUnavailable as error:
            raise self._unavailable(error, queue_id, "") from error
        return found.value.strip() if found else ""

    async def canonical(self, address: str, queue_id: str) -> str:
        """Return an address's canonical form: the answer is looked up again until it stays the same."""
        for _ in range(_NESTING):
            found = await self.find(address, queue_id)
            if not found:
                return address
            if len(found) > 1:
                self._log.warning("cleanup", f"{queue_id}: multi-valued {self.title} entry for {address}")
            before, address = address, found[0]
            if fold(before) == fold(address):
                return address
        self._log.warning("cleanup", f"{queue_id}: unreasonable {self.title} map nesting for {address}")
        return address

    def _unavailable(self, error: TableUnavailable, queue_id: str, whom: str) -> RefusedError:
        self._log.warning("cleanup", str(error))
        self._log.warning(
            "cleanup",
            f"{queue_id}: {self.title} map lookup problem{whom} -- message not accepted, try again later",
        )
        return RefusedError(WRITE_ERROR)


def split_addresses(value: str) -> list[str]:
    """Return the addresses of a table's value, in internal form."""
    if _SIMPLE.fullmatch(value):
        return value.replace(",", " ").split()
    return addresses(value)


def _extended(address: str, extension: str) -> str:
    local, at, domain = address.rpartition("@")
    return f"{local}{extension}{at}{domain}" if at else f"{address}{extension}"


class Masquerade:
    """Hides subdomains (masquerade_domains), except of some users."""

    __slots__ = ("_domains", "_exceptions")

    def __init__(self, domains: Iterable[str], exceptions: Names | None = None) -> None:
        self._domains = [
            (name.lstrip("!").lower(), (len(name) - len(name.lstrip("!"))) % 2 == 0) for name in domains
        ]
        self._exceptions = exceptions

    async def apply(self, address: str, queue_id: str, log: Log) -> str:
        """Return the address with its domain shortened.  RefusedError when the exceptions are unavailable."""
        local, at, domain = address.rpartition("@")
        parent = self._parent(domain.lower()) if at else ""
        if not parent or await self._is_exception(local, queue_id, log):
            return address
        return f"{local}@{parent}"

    def _parent(self, domain: str) -> str:
        """Return the listed domain that this one is below of; "" when it stays as it is."""
        for name, hides in self._domains:
            if name and (domain == name or domain.endswith(f".{name}")):
                return name if hides and domain != name else ""
        return ""

    async def _is_exception(self, local: str, queue_id: str, log: Log) -> bool:
        if self._exceptions is None:
            return False
        try:
            return await self._exceptions.matches(local)
        except TableUnavailable as error:
            log.warning("cleanup", str(error))
            log.line(
                "cleanup",
                f"{queue_id}: masquerade_exceptions map lookup problem"
                " -- message not accepted, try again later",
            )
            raise RefusedError(WRITE_ERROR) from error
