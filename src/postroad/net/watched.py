"""A resolver that somebody watches: every question and its answer is told."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Sequence
from typing import Any

from postroad.base.errors import LookupUnavailable
from postroad.model.explain import Lookup
from postroad.model.ports import Resolver

Watch = Callable[[Lookup], None]


class WatchedResolver:
    """Implements ``model.ports.Resolver`` by another one; ``watch`` hears what that said."""

    def __init__(self, resolver: Resolver, watch: Watch) -> None:
        self._resolver = resolver
        self._watch = watch

    def query(self, name: str, kind: str) -> Awaitable[Any]:
        """Ask now; await it for the answer."""
        question = self._resolver.query(name, kind)
        return _Question(question, name, kind, self._watch)

    async def mx(self, name: str) -> Sequence[tuple[int, str]]:
        """See the port; so for all that follow."""
        records: Sequence[tuple[int, str]] = (await self.query(name, "MX")).records
        return records

    async def addresses(self, name: str, family: int = 0) -> Sequence[str]:
        """Addresses of a host."""
        kind = {4: "A", 6: "AAAA"}.get(family, "A, AAAA")
        found: Sequence[str] = await self._told(self._resolver.addresses(name, family), name, kind)
        return found

    async def ptr(self, address: str) -> Sequence[str]:
        """Names of an address."""
        found: Sequence[str] = await self._told(self._resolver.ptr(address), address, "PTR")
        return found

    async def txt(self, name: str) -> Sequence[bytes]:
        """Texts."""
        found: Sequence[bytes] = await self._told(self._resolver.txt(name), name, "TXT")
        return found

    async def _told(self, question: Awaitable[Any], name: str, kind: str) -> Any:
        try:
            found = await question
        except LookupUnavailable as error:
            self._watch(Lookup(f"DNS {kind}", name, None, str(error)))
            raise
        self._watch(Lookup(f"DNS {kind}", name, _text(found)))
        return found


class _Question:
    """A question that was asked."""

    __slots__ = ("_kind", "_name", "_question", "_watch")

    def __init__(self, question: Awaitable[Any], name: str, kind: str, watch: Watch) -> None:
        self._question = question
        self._name = name
        self._kind = kind
        self._watch = watch

    def __await__(self) -> Generator[Any, Any, Any]:
        try:
            answer = yield from self._question.__await__()
        except LookupUnavailable as error:
            self._watch(Lookup(f"DNS {self._kind}", self._name, None, str(error)))
            raise
        self._watch(Lookup(f"DNS {self._kind}", self._name, _text(answer.records)))
        return answer


def _text(records: Sequence[Any]) -> str | None:
    """Return records on one line, None when there are none."""
    return ", ".join(_record(each) for each in records) or None


def _record(record: Any) -> str:
    if isinstance(record, tuple):
        return " ".join(str(part) if part != "" else "." for part in record)
    return record.decode("utf-8", "replace") if isinstance(record, bytes) else str(record)
