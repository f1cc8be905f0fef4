"""A small name server with a handful of records, for a journey that needs no internet."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

#: ``(name, type)`` to the texts of its records.
Records = Mapping[tuple[str, str], Sequence[str]]
_TTL = 300


@dataclass(frozen=True, slots=True)
class Question:
    """One question that was asked, and the answer: texts of records, or why there are none."""

    at: float
    name: str
    kind: str
    answer: str


class Zone(asyncio.DatagramProtocol):
    """Answers from ``records`` with authority; ``questions`` remembers what was asked.

    What is not there is NXDOMAIN; what cannot be read gets no answer.
    """

    def __init__(self, records: Records, now: Callable[[], float]) -> None:
        self._records = {(dns.name.from_text(n), kind): texts for (n, kind), texts in records.items()}
        self._names = {name for name, _ in self._records}
        self._now = now
        self._transport: asyncio.DatagramTransport | None = None
        self.questions: list[Question] = []

    @property
    def port(self) -> int:
        """Return the port that it listens on."""
        assert self._transport is not None
        port: int = self._transport.get_extra_info("sockname")[1]
        return port

    async def listen(self, address: str = "127.0.0.1") -> None:
        """Listen on a free UDP port."""
        loop = asyncio.get_running_loop()
        await loop.create_datagram_endpoint(lambda: self, (address, 0))

    def close(self) -> None:
        """Answer no more."""
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio's: the socket is there."""
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """asyncio's: a question has come."""
        try:
            query = dns.message.from_wire(data)
            reply = self._answer(query)
        except (dns.exception.DNSException, NotImplementedError):
            return
        if reply is not None and self._transport is not None:
            self._transport.sendto(reply, addr)

    def _answer(self, query: dns.message.Message) -> bytes | None:
        if query.flags & dns.flags.QR or len(query.question) != 1:
            return None
        asked = query.question[0]
        kind = dns.rdatatype.to_text(asked.rdtype)
        texts = self._records.get((asked.name, kind))
        reply = dns.message.make_response(query)
        reply.flags |= dns.flags.AA
        if texts is not None:
            reply.answer.append(
                dns.rrset.from_text_list(asked.name, _TTL, asked.rdclass, asked.rdtype, texts)
            )
            answer = ", ".join(texts)
        elif asked.name in self._names:
            answer = "no such record"
        else:
            reply.set_rcode(dns.rcode.NXDOMAIN)
            answer = "no such name"
        self.questions.append(Question(self._now(), asked.name.to_text(omit_final_dot=True), kind, answer))
        return reply.to_wire()
