"""Lists of domains, of clients and of names, such as mynetworks and relay_domains."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from postroad.base.kinds import split_list
from postroad.base.params import Settings
from postroad.mail.address import fold
from postroad.model import params
from postroad.model.ports import Table
from postroad.tables.combined import is_pattern
from postroad.tables.context import TableContext
from postroad.tables.local import LocalTable
from postroad.tables.network import Network, parse_address, parse_network
from postroad.tables.registry import open_table
from postroad.tables.source import Source

#: How deep files may name files.
_DEPTH = 8
#: What may be a network; other members with these characters missing are host names.
_NETWORK = re.compile(r"[0-9a-fA-F:.\[\]/]*[:/\[][0-9a-fA-F:.\[\]/]*")


def parents_of(settings: Settings, name: str) -> bool:
    """Return whether parent_domain_matches_subdomains names a parameter."""
    for member in settings[params.PARENT_DOMAIN_MATCHES_SUBDOMAINS]:
        if member.lstrip("!") == name:
            return not (len(member) - len(member.lstrip("!"))) % 2
    return False


_KNOWN = 4096  # addresses whose verdict a list remembers


class _Plain:
    """Members that stand in the list itself, up to the next table or file.

    Each has its place in the list and its verdict; the one that stands first counts.
    """

    __slots__ = ("addresses", "known", "names", "networks", "parents", "suffixes")

    def __init__(self, parents: bool | None) -> None:
        self.parents = parents  # None: names are compared whole
        self.names: dict[str, tuple[int, bool]] = {}
        self.suffixes: dict[str, tuple[int, bool]] = {}
        self.addresses: dict[str, tuple[int, bool]] = {}
        self.networks: dict[int, dict[int, dict[int, tuple[int, bool]]]] = {32: {}, 128: {}}
        self.known: dict[str, tuple[int, bool] | None] = {}

    def add(self, place: int, member: str, verdict: bool) -> None:
        entry = (place, verdict)
        self.names.setdefault(fold(member), entry)
        if self.parents is True or (self.parents is False and member.startswith(".")):
            self.suffixes.setdefault(fold(member), entry)

    def add_client(self, place: int, member: str, verdict: bool) -> None:
        if not _NETWORK.fullmatch(member):
            self.add(place, member, verdict)
            self.addresses.setdefault(member.lower(), (place, verdict))
            return
        network: Network = parse_network(member)
        shift = network.width - network.length
        bases = self.networks[network.width].setdefault(shift, {})
        bases.setdefault(network.base >> shift, (place, verdict))

    def name(self, name: str) -> tuple[int, bool] | None:
        best = self.names.get(name)
        if self.suffixes:
            at = name.find(".", 1)
            while at >= 0:
                found = self.suffixes.get(name[at + 1 :] if self.parents else name[at:])
                if found is not None and (best is None or found < best):
                    best = found
                at = name.find(".", at + 1)
        return best

    def address(self, address: str) -> tuple[int, bool] | None:
        """Return what an address gives.  Clients come again: what they give is remembered."""
        try:
            return self.known[address]
        except KeyError:
            if len(self.known) >= _KNOWN:
                self.known.clear()
            found = self.known[address] = self._find(address)
            return found

    def _find(self, address: str) -> tuple[int, bool] | None:
        best = self.addresses.get(address)
        parsed = parse_address(address)
        if parsed is None:
            return best
        width, number = parsed
        for shift, bases in self.networks[width].items():
            found = bases.get(number >> shift)
            if found is not None and (best is None or found < best):
                best = found
        return best


class _Asked:
    """A ``type:table`` member."""

    __slots__ = ("parents", "pattern", "table", "verdict")

    def __init__(self, table: Table, verdict: bool, parents: bool | None) -> None:
        self.table = table
        self.verdict = verdict
        self.parents = parents
        self.pattern = is_pattern(table)

    def name_keys(self, name: str) -> list[str]:
        """Return what the table is asked for: a name, and its parents unless it has patterns."""
        keys = [name]
        if self.pattern or self.parents is None:
            return keys
        at = name.find(".", 1)
        while at >= 0:
            keys.append(name[at + 1 :] if self.parents else name[at:])
            at = name.find(".", at + 1)
        return [key for key in keys if key]


class _File:
    """A ``/file`` member: a list of its own, which follows the file's changes."""

    __slots__ = ("_source", "verdict")

    def __init__(self, source: Source[list[_Section]], verdict: bool) -> None:
        self._source = source
        self.verdict = verdict

    def sections(self) -> list[_Section]:
        return self._source.get()


_Section = _Plain | _Asked | _File
#: A name or address to be matched, and whether it is an address.
_Value = tuple[str, bool]


class _List:
    """What the three sorts of lists share.  Made from members as a LIST parameter has them."""

    __slots__ = ("_clients", "_context", "_parents", "_sections", "now")

    def __init__(self, members: Iterable[str], context: TableContext, *, parents: bool | None, clients: bool) -> None:  # fmt: skip  # noqa: E501
        self._context = context
        self._parents = parents
        self._clients = clients
        #: Whether nothing here ever waits, so that ``matches_now`` may be used.
        self.now = True
        self._sections = self._compile(members)

    def __bool__(self) -> bool:
        return bool(self._sections)

    def _compile(self, members: Iterable[str], depth: int = 0) -> list[_Section]:
        sections: list[_Section] = []
        for place, member in enumerate(members):
            text = member.lstrip("!")
            verdict = not (len(member) - len(text)) % 2
            if not text:
                raise ValueError("no pattern after '!'")
            section = self._open(text, verdict, depth)
            if section is not None:
                sections.append(section)
                continue
            if not sections or not isinstance(sections[-1], _Plain):
                sections.append(_Plain(self._parents))
            plain = sections[-1]
            (plain.add_client if self._clients else plain.add)(place, text, verdict)  # type: ignore[union-attr]
        return sections

    def _open(self, text: str, verdict: bool, depth: int) -> _Section | None:
        if text.startswith("/"):
            if depth == _DEPTH:
                raise ValueError(f"{text}: files in files, more than {_DEPTH} deep")
            self.now = False  # what the file will say is not known
            source = Source(
                text,
                lambda content: self._compile(split_list(_uncommented(content)), depth + 1),
                self._context,
            )
            return _File(source, verdict)
        if text.startswith("[") or ":" not in text:
            return None
        table = open_table(text, self._context)
        self.now = self.now and isinstance(table, LocalTable)
        return _Asked(table, verdict, self._parents)

    async def _match(self, sections: Sequence[_Section], values: Sequence[_Value]) -> bool | None:
        for section in sections:
            if isinstance(section, _Plain):
                verdict = _plain_verdict(section, values)
            elif isinstance(section, _File):
                verdict = await self._match(section.sections(), values)
                verdict = verdict if verdict is None or section.verdict else not verdict
            else:
                found = False
                for key in _keys(section, values):
                    if await section.table.lookup(key) is not None:
                        found = True
                        break
                verdict = section.verdict if found else None
            if verdict is not None:
                return verdict
        return None

    def _match_now(self, values: Sequence[_Value]) -> bool:
        for section in self._sections:
            if isinstance(section, _Plain):
                verdict = _plain_verdict(section, values)
            else:
                get = section.table.get  # type: ignore[union-attr]
                found = any(get(key) is not None for key in _keys(section, values))  # type: ignore[arg-type]
                verdict = section.verdict if found else None
            if verdict is not None:
                return verdict
        return False

    def load(self) -> None:
        """Read every file and table, so that problems are known.  TableUnavailable for one that fails."""
        self._load(self._sections)

    def _load(self, sections: Sequence[_Section]) -> None:
        for section in sections:
            if isinstance(section, _File):
                self._load(section.sections())
            elif isinstance(section, _Asked) and isinstance(section.table, LocalTable):
                section.table.load()


def _uncommented(content: str) -> str:
    return "\n".join(line for line in content.split("\n") if not line.lstrip().startswith("#"))


def _plain_verdict(section: _Plain, values: Sequence[_Value]) -> bool | None:
    best: tuple[int, bool] | None = None
    for value, is_address in values:
        found = section.address(value) if is_address else section.name(value)
        if found is not None and (best is None or found < best):
            best = found
    return None if best is None else best[1]


def _keys(section: _Asked, values: Sequence[_Value]) -> Iterable[str]:
    for value, is_address in values:
        if is_address:
            yield value
        else:
            yield from section.name_keys(value)


class StringList(_List):
    """Names that are compared whole, whatever their letters' case.  The first member that fits counts.

    Members: a name, ``/file`` with members, ``type:table`` that has the name as a key; ``!`` in
    front of any makes what fits it not match.  ValueError for a member that cannot be used.
    """

    __slots__ = ()

    def __init__(self, members: Iterable[str], context: TableContext) -> None:
        super().__init__(members, context, parents=None, clients=False)

    async def matches(self, name: str) -> bool:
        """Return whether the list has the name; TableUnavailable when it could not look."""
        if not self._sections:
            return False
        values = ((fold(name), False),)
        return bool(self._match_now(values) if self.now else await self._match(self._sections, values))

    def matches_now(self, name: str) -> bool:
        """Do the same without a coroutine, where ``now`` is true."""
        return bool(self._sections) and self._match_now(((fold(name), False),))


class DomainList(StringList):
    """Domains.  With ``parents`` example.com also matches its subdomains; else .example.com does that."""

    __slots__ = ()

    def __init__(self, members: Iterable[str], context: TableContext, *, parents: bool) -> None:
        _List.__init__(self, members, context, parents=parents, clients=False)


class AddressList(_List):
    """Clients: addresses, networks ``192.0.2.0/24`` and ``[2001:db8::]/32``, host and domain names.

    Each member is held against the name and the address.  A network that is none raises ValueError
    with Postfix's words.
    """

    __slots__ = ("_clients_known",)

    def __init__(self, members: Iterable[str], context: TableContext, *, parents: bool = True) -> None:
        super().__init__(members, context, parents=parents, clients=True)
        # Clients come again: where nothing can change, the answer is remembered.
        fixed = all(isinstance(section, _Plain) for section in self._sections)
        self._clients_known: dict[tuple[str, str], bool] | None = {} if fixed else None

    async def matches(self, address: str, name: str = "") -> bool:
        """Return whether the list has the client; TableUnavailable when it could not look."""
        if self.now:
            return self.matches_now(address, name)
        values = _client(address, name)
        return bool(await self._match(self._sections, values))

    def matches_now(self, address: str, name: str = "") -> bool:
        """Do the same without a coroutine, where ``now`` is true."""
        known = self._clients_known
        if known is None:
            return self._match_now(_client(address, name))
        verdict = known.get((address, name))
        if verdict is None:
            if len(known) >= _KNOWN:
                known.clear()
            verdict = known[address, name] = self._match_now(_client(address, name))
        return verdict


def _client(address: str, name: str) -> tuple[_Value, ...]:
    return ((fold(name), False), (address.lower(), True)) if name else ((address.lower(), True),)
