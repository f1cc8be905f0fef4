"""A DNS server on loopback that says what a test wants, honest or not."""

from __future__ import annotations

import asyncio
import random
import struct
from collections.abc import Callable
from contextlib import asynccontextmanager

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from postroad.base.clock import TestClock
from postroad.net.resolver import CachingResolver
from postroad.net.servers import Servers

Packet = bytes
Maker = Callable[[dns.message.Message, bool], list[bytes]]


def build_reply(
    query: dns.message.Message,
    *answers: str,
    rcode: int = dns.rcode.NOERROR,
    authority: tuple[str, ...] = (),
    ad: bool = False,
    tc: bool = False,
) -> bytes:
    """Build a reply packet; records are written ``name ttl type data``."""
    response = dns.message.make_response(query, recursion_available=True)
    response.set_rcode(rcode)
    for section, texts in ((response.answer, answers), (response.authority, authority)):
        for text in texts:
            name, ttl, kind, data = text.split(None, 3)
            section.append(dns.rrset.from_text(name, int(ttl), "IN", kind, data))
    if ad:
        response.flags |= dns.flags.AD
    if tc:
        response.flags |= dns.flags.TC
    return response.to_wire(max_size=65535)


class StubServer:
    """Answers by ``(name, type)``: record texts, or a function (query, over TCP) -> packets, or an rcode.

    An unknown name does not exist.  ``asked`` lists what was asked.
    """

    def __init__(self) -> None:
        self.zone: dict[tuple[str, str], list[str] | Maker | int] = {}
        self.asked: list[tuple[str, str, bool]] = []
        self.port = 0

    def packets(self, data: bytes, *, tcp: bool) -> list[bytes]:
        query = dns.message.from_wire(data)
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True)
        kind = question.rdtype.name
        self.asked.append((name, kind, tcp))
        entry = self.zone.get((name.lower(), kind))
        if callable(entry):
            return entry(query, tcp)
        if isinstance(entry, int):
            return [build_reply(query, rcode=entry)]
        if entry is not None:
            return [build_reply(query, *(f"{name}. {text}" if text[0].isdigit() else text for text in entry))]
        exists = any(known == name.lower() for known, _ in self.zone)
        soa = ("example. 60 SOA ns.example. root.example. 1 2 3 4 30",)
        return [build_reply(query, rcode=0 if exists else dns.rcode.NXDOMAIN, authority=soa)]

    async def tcp_client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        (size,) = struct.unpack("!H", await reader.readexactly(2))
        for packet in self.packets(await reader.readexactly(size), tcp=True):
            writer.write(struct.pack("!H", len(packet)) + packet)
        writer.close()


@asynccontextmanager
async def serving(stub: StubServer):
    loop = asyncio.get_running_loop()

    class Datagrams(asyncio.DatagramProtocol):
        def connection_made(self, transport):
            self.transport = transport

        def datagram_received(self, data, addr):
            for packet in stub.packets(data, tcp=False):
                self.transport.sendto(packet, addr)

    for _ in range(20):
        transport, _protocol = await loop.create_datagram_endpoint(Datagrams, local_addr=("127.0.0.1", 0))
        stub.port = transport.get_extra_info("sockname")[1]
        try:
            tcp = await asyncio.start_server(stub.tcp_client, "127.0.0.1", stub.port)
        except OSError:
            transport.close()
            continue
        break
    try:
        yield stub
    finally:
        transport.close()
        tcp.close()


@pytest.fixture
async def stub():
    async with serving(StubServer()) as server:
        yield server


@pytest.fixture
def reply():
    """Return the function that builds a reply packet."""
    return build_reply


@pytest.fixture
def clock():
    return TestClock()


@pytest.fixture
def resolver(stub, clock):
    return CachingResolver(
        Servers([f"127.0.0.1:{stub.port}"], clock), clock=clock, rng=random.Random(1), limit=100
    )
