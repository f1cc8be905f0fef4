import asyncio
import socket

import dns.message
import dns.rcode
import pytest

from patience import LIMIT
from postroad.admin.zone import Zone

RECORDS = {("example", "MX"): ["10 mail.example."], ("mail.example", "A"): ["192.0.2.1"]}


@pytest.fixture
async def zone():
    zone = Zone(RECORDS, lambda: 5.0)
    await zone.listen()
    yield zone
    zone.close()


async def exchange(zone, data, seconds=LIMIT):
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.setblocking(False)
        await loop.sock_connect(peer, ("127.0.0.1", zone.port))
        await loop.sock_sendall(peer, data)
        async with asyncio.timeout(seconds):
            return await loop.sock_recv(peer, 4096)


@pytest.mark.parametrize(
    ("name", "kind", "code", "answer"),
    [
        ("example.", "MX", dns.rcode.NOERROR, "10 mail.example."),
        ("MAIL.Example.", "A", dns.rcode.NOERROR, "192.0.2.1"),
        ("mail.example.", "AAAA", dns.rcode.NOERROR, "no such record"),
        ("other.example.", "A", dns.rcode.NXDOMAIN, "no such name"),
    ],
)
async def test_questions_are_answered_and_remembered(zone, name, kind, code, answer):
    query = dns.message.make_query(name, kind)
    reply = dns.message.from_wire(await exchange(zone, query.to_wire()))
    assert query.is_response(reply)
    assert reply.rcode() == code
    (question,) = zone.questions
    assert (question.at, question.kind, question.answer) == (5.0, kind, answer)
    assert [str(r) for rrset in reply.answer for r in rrset] == ([answer] if reply.answer else [])


@pytest.mark.parametrize("data", [b"", b"garbage", b"\0" * 12, bytes(range(200))])
async def test_garbage_gets_no_answer(zone, data):
    with pytest.raises(TimeoutError):
        await exchange(zone, data, 0.15)
    assert zone.questions == []


async def test_an_answer_is_not_taken_for_a_question(zone):
    reply = dns.message.make_response(dns.message.make_query("example.", "MX"))
    with pytest.raises(TimeoutError):
        await exchange(zone, reply.to_wire(), 0.15)
