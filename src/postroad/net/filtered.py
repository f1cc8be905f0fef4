"""Answers of the DNS, some of whose records are passed over: ``..._dns_reply_filter``.

A table is asked about each record, as one line ``name ttl IN type data``, and IGNORE takes it away.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Sequence
from dataclasses import replace
from typing import Any, Final

from postroad.base.errors import LookupUnavailable, TableUnavailable
from postroad.base.log import Event, Log
from postroad.model.ports import Resolver
from postroad.net.answer import Answer
from postroad.net.resolver import failure_text

#: Looks a line up in tables; TableUnavailable when they cannot be asked.
Find = Callable[[str], Awaitable[str | None]]

#: The types that Postfix's filters see; others are answered as they come.
_KINDS: Final = frozenset({"MX", "A", "AAAA", "TXT", "TLSA", "NS"})
#: Characters of a line, at most: a TXT or TLSA record may have 64 KiB.
_LINE_LIMIT: Final = 2048


def _events(text: str, doc: str, *, urgent: bool = False) -> dict[str, Event]:
    return {program: Event(program, text, doc, urgent) for program in ("smtp", "lmtp", "smtpd")}


IGNORED = _events("ignoring DNS RR: %s", "A DNS reply filter takes a record out of an answer.")
BAD_ACTION = _events(
    'warning: %s: unknown DNS filter action: "%s"',
    "A DNS reply filter says what is no action; the answer is not used.",
    urgent=True,
)
FAILED = _events(
    'warning: %s: lookup error for "%s": %s',
    "A DNS reply filter cannot be asked; the answer is not used.",
    urgent=True,
)


class FilteredAnswer(LookupUnavailable):
    """An answer that may not be used.  ``status`` is an enhanced status code without its first digit."""

    def __init__(self, name: str, kind: str, why: str, status: str) -> None:
        super().__init__(f"Error looking up name={name} type={kind}: {why}")
        self.status = status
        self.why = why


class AllDropped(FilteredAnswer):
    """Every record of an answer was taken away.  That is not "not there"."""

    def __init__(self, name: str, kind: str) -> None:
        super().__init__(name, kind, "DNS reply filter drops all results", ".7.0")


class BrokenFilter(FilteredAnswer):
    """The filter could not be asked, or says what it may not."""

    def __init__(self, name: str, kind: str) -> None:
        super().__init__(name, kind, "Invalid DNS reply filter syntax", ".4.3")


class FilteredResolver:
    """Implements ``model.ports.Resolver`` by another one.

    ``find`` asks the tables of ``parameter``; ``program`` (smtp, lmtp, smtpd) is whose log lines these are.
    """

    def __init__(self, resolver: Resolver, find: Find, *, parameter: str, program: str, log: Log) -> None:
        self.unfiltered = resolver
        self._find = find
        self._parameter = parameter
        self._program = program
        self._log = log

    def query(self, name: str, kind: str) -> Awaitable[Any]:
        """Ask now; await it for the Answer.  LookupUnavailable, or a FilteredAnswer of that kind."""
        question = self.unfiltered.query(name, kind)
        return _Question(question, self, name) if kind in _KINDS else question

    async def mx(self, name: str) -> Sequence[tuple[int, str]]:
        """See the port; so for all that follow."""
        records: Sequence[tuple[int, str]] = (await self.query(name, "MX")).records
        return records

    async def addresses(self, name: str, family: int = 0) -> Sequence[str]:
        """Addresses of a host; what one family has counts although the other could not be asked.

        That one could not be asked is the reason rather than that the other was dropped.
        """
        kinds = {4: ("A",), 6: ("AAAA",)}.get(family, ("A", "AAAA"))
        questions = [self.query(name, kind) for kind in kinds]
        found: list[str] = []
        failure: LookupUnavailable | None = None
        for question in questions:
            try:
                found += (await question).records
            except LookupUnavailable as error:
                if failure is None or isinstance(failure, AllDropped):
                    failure = error
        if failure and not found:
            raise failure
        return found

    async def ptr(self, address: str) -> Sequence[str]:
        """Names of an address: not filtered."""
        return await self.unfiltered.ptr(address)

    async def txt(self, name: str) -> Sequence[bytes]:
        """Texts."""
        records: Sequence[bytes] = (await self.query(name, "TXT")).records
        return records

    async def filtered(self, answer: Answer, name: str) -> Answer:
        """Return an answer without the records that are to be ignored.  A null MX always stays (RFC 7505)."""
        if answer.kind == "MX" and any(not host for _, host in answer.records):
            return answer
        kept = [record for record in answer.records if not await self._ignored(answer, record, name)]
        if len(kept) == len(answer.records):
            return answer
        if not kept:
            raise AllDropped(name, answer.kind)
        return replace(answer, records=tuple(kept))

    async def _ignored(self, answer: Answer, record: Any, name: str) -> bool:
        line = record_line(answer, record)
        try:
            action = await self._find(line)
        except TableUnavailable as error:
            self._log.emit(FAILED[self._program], self._parameter, line, error)
            raise BrokenFilter(name, answer.kind) from error
        if action is None:
            return False
        if action.partition(" ")[0].upper() == "IGNORE":
            self._log.emit(IGNORED[self._program], line)
            return True
        self._log.emit(BAD_ACTION[self._program], self._parameter, action)
        raise BrokenFilter(name, answer.kind)


class _Question:
    """A question that was asked."""

    __slots__ = ("_filter", "_name", "_question")

    def __init__(self, question: Awaitable[Any], resolver: FilteredResolver, name: str) -> None:
        self._question = question
        self._filter = resolver
        self._name = name

    def __await__(self) -> Generator[Any, Any, Any]:
        answer = yield from self._question.__await__()
        if not answer.records:
            return answer
        return (yield from self._filter.filtered(answer, self._name).__await__())


def rank(error: LookupUnavailable) -> int:
    """Order the failures of several look-ups as Postfix does: the highest is the reason."""
    return 2 if not isinstance(error, FilteredAnswer) else int(isinstance(error, AllDropped))


def reason_of(error: LookupUnavailable, name: str, kind: str) -> tuple[str, str]:
    """Return the status without its first digit, and the words, of mail that waits for an answer."""
    if isinstance(error, FilteredAnswer):
        return error.status, str(error)
    return ".4.3", failure_text(name, kind)


def unfiltered(resolver: Resolver) -> Resolver:
    """Return the resolver for what Postfix asks of the system's name service, which has no filter."""
    return resolver.unfiltered if isinstance(resolver, FilteredResolver) else resolver


def record_line(answer: Answer, record: Any) -> str:
    """Return a record as filters see it.  Names end in a dot."""
    match answer.kind:
        case "NS":
            data = f"{record}."
        case "MX":
            data = f"{record[0]} {record[1]}."
        case "TLSA":
            data = f"{record[0]} {record[1]} {record[2]} {record[3].hex()}"
        case "TXT":
            data = "".join(chr(byte) if 32 <= byte < 127 else "?" for byte in record)
        case _:
            data = record
    return f"{answer.name}. {answer.ttl} IN {answer.kind} {data}"[:_LINE_LIMIT]
