"""Several tables asked one after the other, and the order of an address's keys."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import NamedTuple

from postroad.base.errors import TableUnavailable
from postroad.mail.address import Extensions, Key, fold, lookup_keys, needs_quotes, quote, to_external
from postroad.tables.combined import is_pattern
from postroad.tables.context import TableContext
from postroad.tables.local import LocalTable
from postroad.tables.registry import open_table

#: Says whether a domain is one of this system's own.
IsLocal = Callable[[str], Awaitable[bool]]


class Found(NamedTuple):
    """A value, and the extension (with its delimiter) that the key had lost when it was found."""

    value: str
    extension: str


class Maps:
    """The tables of one parameter, in order; the first that knows a key answers.  Empty is falsy.

    Fixed tables are asked with folded keys, tables of patterns with keys as they are written, and
    with whole keys only.  A table that fails, or answers with nothing, raises TableUnavailable: the
    tables behind it are not asked in its place.
    """

    __slots__ = ("_is_local", "_tables", "now", "specs")

    def __init__(self, specs: Iterable[str], context: TableContext, *, is_local: IsLocal | None = None, aliases: bool = False) -> None:  # fmt: skip  # noqa: E501
        self.specs = tuple(specs)
        tables = [open_table(spec, context, aliases=aliases) for spec in self.specs]
        self._tables = [(table, is_pattern(table)) for table in tables]
        self._is_local = is_local
        #: Whether nothing here ever waits, so that ``find_now`` may be used.
        self.now = all(isinstance(table, LocalTable) for table in tables)

    def __bool__(self) -> bool:
        return bool(self._tables)

    async def find(self, key: str, *, partial: bool = False) -> str | None:
        """Look one key up.  ``partial``: it is a piece of something, and nothing for patterns."""
        if self.now:
            return self.find_now(key, partial=partial)
        folded = fold(key)
        for table, pattern in self._tables:
            if pattern and partial:
                continue
            value = await table.lookup(key if pattern else folded)
            if value is not None:
                return self._checked(table.name, key, value)
        return None

    def find_now(self, key: str, *, partial: bool = False) -> str | None:
        """Do the same without a coroutine, where ``now`` is true."""
        folded = fold(key)
        for table, pattern in self._tables:
            if pattern and partial:
                continue
            value = table.get(key if pattern else folded)  # type: ignore[attr-defined]
            if value is not None:
                return self._checked(table.name, key, value)
        return None

    def words(self) -> Mapping[str, str] | None:
        """Return the records by folded key, where there is one table and it has such a list.

        TableUnavailable when that cannot be known.
        """
        if not self.now or len(self._tables) != 1:
            return None
        return self._tables[0][0].words()  # type: ignore[attr-defined, no-any-return]

    def first_now(self, keys: Iterable[Key]) -> tuple[str, str] | None:
        """Return the first key that is there, and its value, where ``now`` is true."""
        for key in keys:
            folded = fold(key.text)
            for table, pattern in self._tables:
                if pattern and key.partial:
                    continue
                value = table.get(key.text if pattern else folded)  # type: ignore[attr-defined]
                if value is not None:
                    return key.text, self._checked(table.name, key.text, value)
        return None

    @staticmethod
    def _checked(name: str, key: str, value: str) -> str:
        if not value:
            raise TableUnavailable(f"table {name}: key {key}: empty string result is not allowed")
        return value

    async def find_keys(self, keys: Iterable[Key], domain: str = "") -> Found | None:
        """Look keys up in their order (see ``mail.address``), each in all tables, until one is found.

        Addresses whose local part needs quotes are asked for with the quotes, then without.  With a
        ``domain``, keys that are a local part alone are left out unless ``is_local`` says that it is ours.
        """
        ours = None if domain else True
        for key in keys:
            if key.partial and ours is not True and "@" not in key.text:
                if ours is None:
                    ours = self._is_local is not None and await self._is_local(domain)
                if not ours:
                    continue
            value = await self._find_forms(key)
            if value is not None:
                return Found(value, key.extension)
        return None

    async def _find_forms(self, key: Key) -> str | None:
        text = key.text
        quoted = _quoted(text)
        if quoted != text:
            value = await self.find(quoted, partial=key.partial)
            if value is not None:
                return value
        return await self.find(text, partial=key.partial)

    async def find_address(self, address: str, delimiter: str | Extensions = "", *, at_domain: bool = True) -> Found | None:  # fmt: skip  # noqa: E501
        """Look an address up, whole and in pieces, as Postfix's mail_addr_find does.

        user+ext@domain, user@domain; if ``is_local`` says that the domain is ours user+ext and user;
        and at last @domain, unless ``at_domain`` is off.
        """
        if not self._tables:
            return None
        if self.now and not needs_quotes(address.rpartition("@")[0]):
            value = self.find_now(address)  # the usual hit, before any other key is thought of
            if value is not None:
                return Found(value, "")
        local = self._is_local is not None
        keys = lookup_keys(address, delimiter, local=local, at_domain=at_domain)
        return await self.find_keys(keys, address.rpartition("@")[2] if local and "@" in address else "")

    def load(self) -> None:
        """Read every file, so that problems are known.  TableUnavailable for one that cannot be read."""
        for table, _ in self._tables:
            if isinstance(table, LocalTable):
                table.load()


def _quoted(text: str) -> str:
    """Return an address, or a local part alone, in its external form."""
    if "@" in text:
        return text if text[0] == "@" else to_external(text)
    return quote(text) if text[:1] not in ("", ".", "[") and needs_quotes(text) else text
