"""What the DNS says: there, not there, or could not look."""

from __future__ import annotations

import pytest

from postroad.base.log import Log
from postroad.policy.lookup import Found, find_host, find_mail_host

A, AAAA, MX = ("192.0.2.1",), ("2001:db8::1",), ((10, "mx.test"),)
NULL = ((0, ""),)
NONSENSE = ((10, "-bad-"),)


@pytest.mark.parametrize(
    ("records", "broken", "host", "mail"),
    [
        ({"A": A}, (), Found.FOUND, Found.FOUND),
        ({"AAAA": AAAA}, (), Found.FOUND, Found.FOUND),
        ({"MX": MX}, (), Found.FOUND, Found.FOUND),
        ({"MX": ((10, "192.0.2.1"),)}, (), Found.FOUND, Found.FOUND),
        ({}, (), Found.MISSING, Found.MISSING),
        ({"MX": NULL}, (), Found.FOUND, Found.NULL_MX),
        ({"MX": NULL, "A": A}, (), Found.FOUND, Found.NULL_MX),
        ({"MX": NONSENSE}, (), Found.MALFORMED, Found.MALFORMED),
        ({"MX": NONSENSE, "A": A}, (), Found.FOUND, Found.MALFORMED),
        ({"MX": NONSENSE + MX}, (), Found.FOUND, Found.FOUND),
        ({}, ("MX",), Found.FAILED, Found.FAILED),
        ({}, ("A",), Found.FAILED, Found.FAILED),
        ({"A": A}, ("MX",), Found.FOUND, Found.FOUND),
        ({"MX": MX}, ("A",), Found.FOUND, Found.FOUND),
        ({"MX": NULL}, ("A",), Found.FOUND, Found.NULL_MX),
    ],
)
async def test_any_answer_counts_more_than_a_failure(world, records, broken, host, mail):
    resolver = world().resolver
    resolver.records = {("x.test", kind): found for kind, found in records.items()}
    resolver.broken = {f"x.test {kind}" for kind in broken}
    assert await find_host(resolver, "x.test") is host
    assert await find_mail_host(resolver, "x.test") is mail


@pytest.mark.parametrize("name", ["a..b", "-x.test", "192.0.2.1", "x y", ""])
async def test_what_can_be_no_name_is_not_asked_for(world, name):
    resolver = world().resolver
    assert await find_host(resolver, name) is Found.MISSING
    assert await find_mail_host(resolver, name) is Found.MISSING
    assert resolver.asked == []


async def test_a_unicode_domain_is_asked_for_in_ascii(world):
    resolver = world().resolver
    resolver.records = {("xn--bcher-kva.test", "MX"): MX}
    assert await find_mail_host(resolver, "bücher.test") is Found.FOUND


@pytest.mark.parametrize(
    ("actions", "host", "mail"),
    [
        ({"A": "IGNORE"}, Found.FOUND, Found.FOUND),
        ({"MX": "IGNORE"}, Found.FOUND, Found.DROPPED),
        ({"A": "IGNORE", "MX": "IGNORE"}, Found.DROPPED, Found.DROPPED),
        ({"A": "WRONG", "MX": "IGNORE"}, Found.FAILED, Found.DROPPED),
        ({"A": "WRONG", "MX": "WRONG"}, Found.FAILED, Found.FAILED),
    ],
)
async def test_what_a_filter_takes_away_is_not_missing(world, dropping, actions, host, mail):
    here = world()
    here.resolver.records = {("x.test", "A"): A, ("x.test", "MX"): MX}
    resolver = dropping(here.resolver, Log(here.sink), **actions)
    assert await find_host(resolver, "x.test") is host
    assert await find_mail_host(resolver, "x.test") is mail
