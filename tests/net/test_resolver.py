"""The resolver: cached, coalesced, bounded; three ends and never two."""

from __future__ import annotations

import asyncio
import random

import dns.rcode
import pytest

from patience import until
from postroad.base import tasks
from postroad.base.errors import LookupUnavailable
from postroad.base.params import settings_of
from postroad.net import resolver as module
from postroad.net.params import params
from postroad.net.resolver import CachingResolver, failure_text, open_resolver
from postroad.net.servers import Servers


async def test_records_come_by_kind(stub, resolver):
    stub.zone["x.example", "A"] = ["60 A 192.0.2.1"]
    stub.zone["x.example", "AAAA"] = ["60 AAAA 2001:db8::1"]
    stub.zone["x.example", "MX"] = ["60 MX 10 mx.example."]
    stub.zone["x.example", "TXT"] = ['60 TXT "a" "b"']
    stub.zone["1.2.0.192.in-addr.arpa", "PTR"] = ["60 PTR x.example."]
    assert await resolver.addresses("x.example") == ["192.0.2.1", "2001:db8::1"]
    assert await resolver.addresses("x.example", 4) == ["192.0.2.1"]
    assert await resolver.addresses("x.example", 6) == ["2001:db8::1"]
    assert await resolver.mx("x.example") == ((10, "mx.example"),)
    assert await resolver.txt("x.example") == (b"ab",)
    assert await resolver.ptr("192.0.2.1") == ("x.example",)
    assert await resolver.ptr("::ffff:192.0.2.1") == ("x.example",)


async def test_what_is_not_there_is_empty_and_what_cannot_be_asked_raises(stub, resolver):
    stub.zone["bad.example", "MX"] = int(dns.rcode.SERVFAIL)
    stub.zone["no.example", "MX"] = int(dns.rcode.REFUSED)
    assert await resolver.mx("nowhere.example") == ()
    for name in ("bad.example", "no.example"):
        with pytest.raises(LookupUnavailable, match=name):
            await resolver.mx(name)


async def test_no_name_is_told_from_no_data(stub, resolver):
    stub.zone["x.example", "A"] = ["60 A 192.0.2.1"]
    assert (await resolver.query("y.example", "MX")).nxdomain
    assert not (await resolver.query("x.example", "MX")).nxdomain


async def test_an_answer_is_asked_for_once_while_it_holds(stub, resolver, clock):
    stub.zone["x.example", "A"] = ["60 A 192.0.2.1"]
    for name in ("x.example", "X.Example", "x.example."):
        assert await resolver.addresses(name, 4) == ["192.0.2.1"]
    assert len(stub.asked) == 1
    clock.advance(61)
    await resolver.addresses("x.example", 4)
    assert len(stub.asked) == 2


async def test_a_negative_answer_holds_as_long_as_the_soa_says(stub, resolver, clock):
    await resolver.mx("nowhere.example")
    await resolver.mx("nowhere.example")
    assert len(stub.asked) == 1
    clock.advance(31)
    await resolver.mx("nowhere.example")
    assert len(stub.asked) == 2


async def test_a_ttl_of_years_is_cut_and_a_ttl_of_nought_not_kept(stub, resolver, clock):
    stub.zone["old.example", "A"] = ["99999999 A 192.0.2.1"]
    stub.zone["now.example", "A"] = ["0 A 192.0.2.1"]
    for _ in range(2):
        await resolver.addresses("old.example", 4)
        await resolver.addresses("now.example", 4)
    assert [name for name, _, _ in stub.asked] == ["old.example", "now.example", "now.example"]
    clock.advance(3601)
    await resolver.addresses("old.example", 4)
    assert len(stub.asked) == 4


async def test_equal_questions_at_one_time_become_one(stub, resolver):
    stub.zone["x.example", "A"] = ["0 A 192.0.2.1"]
    answers = await asyncio.gather(*(resolver.addresses("x.example", 4) for _ in range(50)))
    assert answers == [["192.0.2.1"]] * 50
    assert len(stub.asked) == 1


async def test_a_waiter_that_leaves_does_not_take_the_answer_from_the_others(stub, resolver):
    stub.zone["x.example", "A"] = ["0 A 192.0.2.1"]
    leaving = asyncio.ensure_future(resolver.addresses("x.example", 4))
    staying = asyncio.ensure_future(resolver.addresses("x.example", 4))
    await asyncio.sleep(0)
    leaving.cancel()
    assert await staying == ["192.0.2.1"]
    assert leaving.cancelled()


async def test_a_known_answer_does_not_wait(stub, resolver):
    stub.zone["x.example", "A"] = ["60 A 192.0.2.1"]
    await resolver.addresses("x.example", 4)
    got = []
    assert tasks.start(resolver.addresses("x.example", 4), lambda *ended: got.append(ended))
    assert got == [(["192.0.2.1"], None)]


async def test_an_unknown_answer_is_awaited_without_a_task_of_the_caller(stub, resolver):
    stub.zone["x.example", "A"] = ["60 A 192.0.2.1"]
    done = asyncio.get_running_loop().create_future()
    assert not tasks.start(resolver.addresses("x.example"), lambda *ended: done.set_result(ended))
    assert await done == (["192.0.2.1"], None)


async def test_a_failure_is_remembered_for_a_moment_only(stub, resolver, clock):
    stub.zone["x.example", "MX"] = int(dns.rcode.SERVFAIL)
    for _ in range(3):
        with pytest.raises(LookupUnavailable):
            await resolver.mx("x.example")
    assert len(stub.asked) == 1
    clock.advance(3)
    stub.zone["x.example", "MX"] = ["60 MX 10 mx.example."]
    assert await resolver.mx("x.example") == ((10, "mx.example"),)


async def test_one_family_answers_for_the_other_that_fails(stub, resolver):
    stub.zone["x.example", "A"] = int(dns.rcode.SERVFAIL)
    stub.zone["x.example", "AAAA"] = ["60 AAAA 2001:db8::1"]
    stub.zone["y.example", "A"] = int(dns.rcode.SERVFAIL)
    assert await resolver.addresses("x.example") == ["2001:db8::1"]
    with pytest.raises(LookupUnavailable):
        await resolver.addresses("y.example")


async def test_a_chain_over_several_packets_is_followed(stub, resolver, reply):
    stub.zone["a.example", "A"] = lambda query, _: [reply(query, "a.example. 60 CNAME b.example.")]
    stub.zone["b.example", "A"] = ["60 A 192.0.2.1"]
    answer = await resolver.query("a.example", "A")
    assert (answer.name, answer.records) == ("b.example", ("192.0.2.1",))


async def test_a_loop_of_names_is_a_failure_after_a_few_questions(stub, resolver, reply):
    stub.zone["a.example", "A"] = lambda query, _: [reply(query, "a.example. 60 CNAME b.example.")]
    stub.zone["b.example", "A"] = lambda query, _: [reply(query, "b.example. 60 CNAME a.example.")]
    with pytest.raises(LookupUnavailable):
        await resolver.query("a.example", "A")
    assert len(stub.asked) <= 16


async def test_an_impossible_name_is_not_asked_for(stub, resolver):
    for name in ("", ".", "a..b", "x" * 64 + ".example", "a b.example", "\udcff.example", "a\0b", r"a\.b"):
        assert (await resolver.query(name, "A")).nxdomain
    assert stub.asked == []


async def test_a_name_in_unicode_is_asked_for_in_ascii(stub, resolver):
    stub.zone["xn--bcher-kva.example", "A"] = ["60 A 192.0.2.1"]
    assert await resolver.addresses("Bücher.example", 4) == ["192.0.2.1"]


async def test_an_unknown_kind_is_the_callers_mistake(resolver):
    with pytest.raises(ValueError):
        resolver.query("x.example", "HINFO")


async def test_the_next_server_is_asked_when_one_fails(stub, clock):
    stub.zone["x.example", "A"] = ["60 A 192.0.2.1"]
    servers = Servers(["127.0.0.1:1", f"127.0.0.1:{stub.port}"], clock)
    resolver = CachingResolver(servers, clock=clock, rng=random.Random(1))
    assert await resolver.addresses("x.example", 4) == ["192.0.2.1"]


async def test_a_silent_server_is_asked_again_and_then_given_up(stub, resolver, monkeypatch):
    monkeypatch.setattr(module, "_ROUNDS", (0.03, 0.03))
    stub.zone["x.example", "A"] = lambda _query, _tcp: []
    with pytest.raises(LookupUnavailable) as error:
        await resolver.addresses("x.example", 4)
    assert str(error.value) == failure_text("x.example", "A")
    await until(lambda: len(stub.asked) >= 2)
    assert len(stub.asked) == 2


async def test_the_whole_look_up_is_bounded_in_time(stub, resolver, monkeypatch):
    monkeypatch.setattr(module, "_TOTAL", 0.05)
    stub.zone["x.example", "A"] = lambda _query, _tcp: []
    with pytest.raises(LookupUnavailable):
        await resolver.addresses("x.example", 4)


async def test_a_failure_that_nobody_waits_for_is_no_defect(stub, resolver):
    told = []
    tasks.on_failure(lambda *what: told.append(what))
    stub.zone["x.example", "A"] = int(dns.rcode.SERVFAIL)
    resolver.query("x.example", "A")
    with pytest.raises(LookupUnavailable):
        await resolver.query("x.example", "A")
    assert told == []


async def test_large_texts_are_not_kept(stub, resolver):
    text = " ".join(['"' + "x" * 250 + '"'] * 40)
    stub.zone["x.example", "TXT"] = [f"60 TXT {text}"]
    for _ in range(2):
        assert len((await resolver.txt("x.example"))[0]) == 10000
    assert len(stub.asked) == 2


async def test_the_settings_say_whom_to_ask(stub):
    stub.zone["x.example", "A"] = ["60 A 192.0.2.1"]
    opened = open_resolver(settings_of([params], resolver_addresses=f"[127.0.0.1]:{stub.port}"))
    assert await opened.addresses("x.example", 4) == ["192.0.2.1"]
    with pytest.raises(ValueError):
        open_resolver(settings_of([params], resolver_addresses="nonsense"))
