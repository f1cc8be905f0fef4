"""What lists in the DNS say of a client."""

from __future__ import annotations

import asyncio

import pytest

from listener.screens import Resolver
from postroad.base.log import ListSink, Log
from postroad.listener.blocklists import Blocklists
from postroad.proto.dnsbl import site_of

NAME = "9.2.0.192"


async def asked(sites, records, address="192.0.2.9", timeout=5.0, held=None):
    """Ask; return the score, the log and the names that were asked for."""
    sink, resolver, done = ListSink(), Resolver(records), asyncio.Event()
    resolver.held = held
    lists = Blocklists(
        [site_of(each) for each in sites.split()],
        resolver,
        Log(sink, pid=1),
        timeout=timeout,
        shortest=60,
        longest=3600,
    )
    score = lists.ask(address, done.set)
    assert not done.is_set()
    await asyncio.wait_for(done.wait(), 30)
    return score, sink.lines, [name for name, _ in resolver.asked]


@pytest.mark.parametrize(
    ("sites", "answers", "rank", "domain"),
    [
        ("bl.test", ["127.0.0.2"], 1, "bl.test"),
        ("bl.test*3", ["127.0.0.2", "127.0.0.3"], 3, "bl.test"),  # once, however many answers
        ("bl.test*2 bl.test=127.0.0.9*5", ["127.0.0.2"], 2, "bl.test"),
        ("bl.test*2 BL.test=127.0.0.9*5", ["127.0.0.9"], 7, "BL.test"),
        ("bl.test*-2", ["127.0.0.2"], -2, "bl.test"),
        ("bl.test=127.0.0.1", ["127.0.0.2"], 0, ""),
        ("bl.test", [], 0, ""),
    ],
)
async def test_entries_of_one_list(sites, answers, rank, domain):
    score, log, names = await asked(sites, {f"{NAME}.bl.test": answers})
    assert (score.rank, score.domain, score.pending) == (rank, domain, 0)
    assert log == [f"dnsblog: addr 192.0.2.9 listed by domain bl.test as {each}" for each in answers]
    assert names == [f"{NAME}.bl.test"]  # one question for all entries


async def test_the_list_that_weighs_most_is_named():
    records = {f"{NAME}.{each}.test": ["127.0.0.2"] for each in "abc"}
    score, _, _ = await asked("a.test*2 b.test*5 c.test*-3", records)
    assert (score.rank, score.domain) == (4, "b.test")


async def test_an_answer_holds_as_long_as_the_dns_says_within_limits():
    score, _, _ = await asked("bl.test", {})
    assert score.ttl == 600
    score, _, _ = await asked("bl.test", {f"{NAME}.bl.test": None})
    assert score.ttl == 3600


async def test_a_list_that_cannot_be_asked_has_no_say():
    score, log, _ = await asked("a.test b.test", {f"{NAME}.a.test": None, f"{NAME}.b.test": ["127.0.0.2"]})
    assert score.rank == 1
    assert log[0] == "dnsblog: warning: a.test: no answer for 9.2.0.192.a.test for 192.0.2.9"


async def test_a_list_that_is_silent_is_not_waited_for():
    score, log, _ = await asked("bl.test", {}, timeout=0.01, held=asyncio.Event())
    assert (score.rank, log) == (0, ["dnsblog: warning: bl.test: timeout for 192.0.2.9"])


async def test_ipv6_is_asked_for_digit_by_digit():
    _, _, names = await asked("bl.test", {}, address="2001:db8::1")
    assert names == ["1." + "0." * 23 + "8.b.d.0.1.0.0.2.bl.test"]
