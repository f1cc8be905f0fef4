"""``cidr:file``: networks and their answers; the first that holds the address counts."""

from __future__ import annotations

from collections.abc import Iterable

from postroad.tables.context import TableContext
from postroad.tables.lines import Warn
from postroad.tables.local import LocalTable
from postroad.tables.network import Network, parse_address, parse_network
from postroad.tables.rulefile import Blocks, is_negated, rule_source

#: A network, and whether an address shall be in it.
Condition = tuple[Network, bool]
Rule = tuple[tuple[Condition, ...], str]


class _Compiled:
    """The rules, found by one dictionary for each prefix length that occurs."""

    __slots__ = ("_lengths", "_open", "_rules")

    def __init__(self, rules: list[tuple[Condition, tuple[Condition, ...], str]]) -> None:
        self._rules: list[Rule] = []
        self._lengths: dict[int, dict[int, dict[int, list[int]]]] = {32: {}, 128: {}}
        self._open: list[int] = []  # "everything but": not to be found by a prefix
        for number, (own, around, value) in enumerate(rules):
            network, wanted = own
            self._rules.append((around if wanted else (*around, own), value))
            if not wanted:
                self._open.append(number)
                continue
            bases = self._lengths[network.width].setdefault(network.width - network.length, {})
            bases.setdefault(network.base >> (network.width - network.length), []).append(number)

    def find(self, key: str) -> str | None:
        address = parse_address(key)
        if address is None:
            return None
        width, number = address
        found = list(self._open)
        for shift, bases in self._lengths[width].items():
            found += bases.get(number >> shift, ())
        for index in sorted(found):
            conditions, value = self._rules[index]
            if all(_holds(condition, width, number) for condition in conditions):
                return value
        return None


def _holds(condition: Condition, width: int, number: int) -> bool:
    network, wanted = condition
    # "not in an IPv4 network" says nothing of an IPv6 address
    return width == network.width and network.holds(width, number) is wanted


def _compile(name: str, lines: Iterable[tuple[int, str]], warn: Warn) -> _Compiled:
    rules: list[tuple[Condition, tuple[Condition, ...], str]] = []
    blocks: Blocks[Condition] = Blocks(f"cidr map {name}", warn)
    for number, line in lines:
        try:
            _read(number, line, rules, blocks)
        except ValueError as error:
            warn(f"cidr map {name}, line {number}: {error}: skipping this rule")
    blocks.end()
    return _Compiled(rules)


def _read(number: int, line: str, rules: list[tuple[Condition, tuple[Condition, ...], str]], blocks: Blocks[Condition]) -> None:  # fmt: skip  # noqa: E501
    word, _, rest = line.replace("\t", " ").partition(" ")
    if word.lower() == "if":
        blocks.open(number, _condition(*is_negated(rest.strip())))
        return
    if word.lower() == "endif":
        if blocks.close() is None:
            raise ValueError("ENDIF without IF")
        return
    negated, text = is_negated(line)
    pattern, *value = text.split(None, 1)
    condition = _condition(negated, pattern)
    if not value:
        raise ValueError("no lookup result")
    rules.append((condition, blocks.conditions(), value[0]))


def _condition(negated: bool, pattern: str) -> Condition:
    return parse_network(pattern), not negated


class Cidr(LocalTable):
    """Networks, ``!network``, ``if network`` ... ``endif``; keys are IP addresses, others are unknown."""

    pattern = True

    def __init__(self, name: str, argument: str, context: TableContext) -> None:
        super().__init__(name)
        self._source = rule_source(argument, lambda path, lines: _compile(path, lines, context.warn), context)

    def get(self, key: str) -> str | None:
        """Look an IP address up."""
        return self._source.get().find(key)

    def load(self) -> None:
        """Read the rules."""
        self._source.get()
