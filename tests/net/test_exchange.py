"""One question, one server."""

from __future__ import annotations

import random
import time

import dns.rcode
import pytest

from patience import LIMIT
from postroad.net.answer import BadAnswer, Refused
from postroad.net.exchange import Exchange
from postroad.net.servers import Server


@pytest.fixture
def ask(stub):
    exchange = Exchange(random.Random(1))

    async def ask(name="x.example", kind="A", seconds=2.0):
        return await exchange.ask(Server("127.0.0.1", stub.port), name, kind, seconds)

    return ask


async def test_an_answer_comes_over_udp(stub, ask):
    stub.zone["x.example", "A"] = ["60 A 192.0.2.1"]
    assert (await ask()).records == ("192.0.2.1",)
    assert stub.asked == [("x.example", "A", False)]


async def test_a_truncated_answer_is_asked_for_again_over_tcp(stub, ask, reply):
    records = [f"x.example. 60 A 10.0.0.{n}" for n in range(90)]
    stub.zone["x.example", "A"] = lambda query, tcp: [
        reply(query, *records) if tcp else reply(query, tc=True)
    ]
    assert len((await ask()).records) == 90
    assert [tcp for _, _, tcp in stub.asked] == [False, True]


async def test_truncation_over_tcp_too_is_a_failure(stub, ask, reply):
    stub.zone["x.example", "A"] = lambda query, _: [reply(query, tc=True)]
    with pytest.raises(BadAnswer):
        await ask()


async def test_a_tcp_answer_cut_short_is_a_failure(stub, ask, reply):
    stub.zone["x.example", "A"] = lambda query, tcp: [] if tcp else [reply(query, tc=True)]
    with pytest.raises(BadAnswer):
        await ask()


async def test_forged_packets_are_passed_over_until_the_answer_comes(stub, ask, reply):
    def answers(query, _tcp):
        good = reply(query, "x.example. 60 A 192.0.2.1")
        wrong_id = bytes([good[0] ^ 1]) + good[1:]
        return [wrong_id, b"", b"\0" * 5, wrong_id, good]

    stub.zone["x.example", "A"] = answers
    assert (await ask()).records == ("192.0.2.1",)


async def test_a_flood_of_forged_packets_ends_the_attempt(stub, ask):
    stub.zone["x.example", "A"] = lambda _query, _tcp: [b"nonsense"] * 30
    with pytest.raises(BadAnswer):
        await ask()


async def test_a_server_that_does_not_know_edns_is_asked_without(stub, ask, reply):
    def answers(query, _tcp):
        return [
            reply(query, rcode=dns.rcode.FORMERR)
            if query.edns >= 0
            else reply(query, "x.example. 60 A 192.0.2.1")
        ]

    stub.zone["x.example", "A"] = answers
    assert (await ask()).records == ("192.0.2.1",)


async def test_a_refusal_is_passed_on(stub, ask):
    stub.zone["x.example", "A"] = int(dns.rcode.SERVFAIL)
    with pytest.raises(Refused):
        await ask()


async def test_silence_ends_in_time(stub, ask):
    stub.zone["x.example", "A"] = lambda _query, _tcp: []
    begun = time.monotonic()
    with pytest.raises(TimeoutError):
        await ask(seconds=0.05)
    assert time.monotonic() - begun < LIMIT


async def test_a_dead_server_is_an_error_of_the_network(stub):
    server = Server("127.0.0.1", stub.port)
    exchange = Exchange(random.Random(1))
    stub.zone["x.example", "A"] = lambda _query, _tcp: []
    with pytest.raises((OSError, TimeoutError)):
        await exchange.ask(Server("127.0.0.1", 1), "x.example", "A", 0.1)
    with pytest.raises(BadAnswer):
        await exchange.ask(server, "a..b", "A", 0.1)
