"""Virtual aliases: one recipient becomes others, and those again (virtual(5))."""

from __future__ import annotations

from dataclasses import dataclass

from postroad.base.log import Log
from postroad.base.params import Settings
from postroad.intake import params
from postroad.intake.canonical import Mapping
from postroad.intake.refusal import ALIAS_ERROR, RefusedError
from postroad.mail.address import fold


@dataclass(frozen=True, slots=True)
class Limits:
    """How far an address may expand: how many, how deep, how long each (characters)."""

    expansion: int = 1000
    recursion: int = 1000
    length: int = 1000

    @classmethod
    def of(cls, settings: Settings) -> Limits:
        """Return the limits that the configuration sets."""
        return cls(
            settings[params.VIRTUAL_ALIAS_EXPANSION_LIMIT],
            settings[params.VIRTUAL_ALIAS_RECURSION_LIMIT],
            settings[params.VIRTUAL_ALIAS_ADDRESS_LENGTH_LIMIT],
        )


class Aliases:
    """Expands addresses.  An address that expands to itself among others is kept and asked no more."""

    __slots__ = ("_limits", "_log", "_mapping")

    def __init__(self, mapping: Mapping, limits: Limits, log: Log) -> None:
        self._mapping = mapping
        self._limits = limits
        self._log = log

    async def expand(self, address: str, queue_id: str) -> list[str]:
        """Return what the address stands for, itself when it is no alias.

        RefusedError when a table could not be asked, or when a limit is passed: then mail waits at the
        sender until the operator has mended the tables, and none is lost in a loop.
        """
        result = [address]
        settled: set[str] = set()
        at = 0
        while at < len(result):
            if len(result) > self._limits.expansion:
                raise self._unreasonable(queue_id, "map expansion size for", address)
            await self._follow(result, at, settled, queue_id, address)
            at += 1
        return result

    async def _follow(self, result: list[str], at: int, settled: set[str], queue_id: str, origin: str) -> None:  # fmt: skip  # noqa: E501
        """Replace ``result[at]`` until it is no alias any more; further addresses go to the end."""
        for _ in range(self._limits.recursion):
            current = result[at]
            if fold(current) in settled:
                return
            found = await self._mapping.find(current, queue_id)
            if not found:
                return
            for target in found:
                if len(target) > self._limits.length:
                    raise self._unreasonable(queue_id, "result", f"{target[:300]}...")
                if fold(target) == fold(current):
                    settled.add(fold(current))
            result[at] = found[0]
            result += found[1:]
        if fold(result[at]) not in settled:
            raise self._unreasonable(queue_id, "map nesting for", origin)

    def _unreasonable(self, queue_id: str, what: str, whom: str) -> RefusedError:
        self._log.warning(
            "cleanup",
            f"{queue_id}: unreasonable {self._mapping.title} {what} {whom}"
            " -- message not accepted, try again later",
        )
        return RefusedError(ALIAS_ERROR)
