"""Lists in the DNS: how they are asked, and which answers count."""

from __future__ import annotations

import pytest

from postroad.base.errors import LookupUnavailable
from postroad.base.log import Log
from postroad.policy.dnslist import DnsList, Listing


@pytest.fixture
def listed(world, sink):
    def make(text, records, broken=()):
        resolver = world().resolver
        resolver.records = records
        resolver.broken = set(broken)
        return DnsList(text, resolver, Log(sink)), resolver

    return make


async def test_an_address_is_asked_for_backwards(listed):
    source, resolver = listed("bl.test", {("20.2.0.192.bl.test", "A"): ("127.0.0.2",)})
    assert await source.find_address("192.0.2.20") == Listing("")
    assert await source.find_address("192.0.2.21") is None
    six = "7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.bl.test"
    assert await source.find_address("2001:db8::7") is None
    assert resolver.asked[-1] == (six, "A")
    assert await source.find_address("unknown") is None


async def test_only_answers_of_the_pattern_count(listed):
    records = {
        ("1.2.0.192.bl.test", "A"): ("127.0.0.3",),
        ("2.2.0.192.bl.test", "A"): ("127.0.0.3", "127.0.0.2"),
    }
    source, _ = listed("bl.test=127.0.0.2", records)
    assert source.domain == "bl.test"
    assert await source.find_address("192.0.2.1") is None
    assert await source.find_address("192.0.2.2") == Listing("")


async def test_the_reason_is_the_text_records_and_has_a_limit(listed):
    key = "1.2.0.192.bl.test"
    source, _ = listed("bl.test", {(key, "A"): ("127.0.0.2",), (key, "TXT"): (b"one", b"\xfftwo")})
    assert await source.find_address("192.0.2.1") == Listing("one / \ufffdtwo")
    source, _ = listed("bl.test", {(key, "A"): ("127.0.0.2",), (key, "TXT"): (b"x" * 9000,)})
    assert len((await source.find_address("192.0.2.1")).reason) == 500
    source, _ = listed("bl.test", {(key, "A"): ("127.0.0.2",)}, broken={f"{key} TXT"})
    assert await source.find_address("192.0.2.1") == Listing("")


async def test_a_domain_is_asked_for_as_it_is_or_not_at_all(listed):
    source, resolver = listed("dom.test", {("spam.test.dom.test", "A"): ("127.0.0.2",)})
    assert await source.find_domain("u@spam.test") == Listing("")
    assert await source.find_domain("spam.test") == Listing("")
    asked = len(resolver.asked)
    for what in ("192.0.2.1", "u@[192.0.2.1]", "u@", "", "a..b", "x.5"):
        assert await source.find_domain(what) is None
    assert len(resolver.asked) == asked
    await source.find_domain("u@bücher.test")
    assert resolver.asked[-1] == ("xn--bcher-kva.test.dom.test", "A")


async def test_a_list_that_does_not_answer_is_told_from_one_that_has_nothing(listed, sink):
    source, _ = listed("bl.test", {}, broken={"1.2.0.192.bl.test"})
    with pytest.raises(LookupUnavailable):
        await source.find_address("192.0.2.1")
    assert sink.lines[0].startswith("smtpd: warning: 1.2.0.192.bl.test: RBL lookup error: ")
