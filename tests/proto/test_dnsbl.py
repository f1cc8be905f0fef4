"""Members of postscreen_dnsbl_sites, and the names that lists are asked for."""

from __future__ import annotations

import pytest

from postroad.proto.dnsbl import Pattern, query_name, site_of


@pytest.mark.parametrize(
    ("pattern", "address", "matches"),
    [
        ("127.0.0.2", "127.0.0.2", True),
        ("127.0.0.2", "127.0.0.3", False),
        ("127.0.0.[2;4..6]", "127.0.0.5", True),
        ("127.0.0.[2;4..6]", "127.0.0.3", False),
        ("127.[0..255].[0..255].2", "127.9.200.2", True),
        ("127.0.0.2", "::1", False),
    ],
)
def test_a_pattern_has_numbers_and_ranges(pattern, address, matches):
    assert Pattern(pattern).matches(address) is matches


@pytest.mark.parametrize(
    "text",
    ["", "127.0.0", "127.0.0.2.3", "127.0.0.[]", "127.0.0.256", "127.0.0.[5..2]", "127.0.0.x", "127.0.0.[2"],
)
def test_another_form_is_an_error(text):
    with pytest.raises(ValueError, match="bad address pattern"):
        Pattern(text)


def test_a_site_is_a_domain_and_counts_once():
    site = site_of("bl.example")
    assert (site.domain, site.weight) == ("bl.example", 1)
    assert site.counts("127.0.0.2")
    assert site.counts("10.0.0.1")


def test_a_site_may_have_a_pattern_and_a_weight():
    site = site_of("bl.example=127.0.0.[2;4..6]*-3")
    assert (site.domain, site.weight) == ("bl.example", -3)
    assert site.counts("127.0.0.5")
    assert not site.counts("127.0.0.3")
    assert site_of("bl.example*+2").weight == 2


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("bl.example*", "weight factor"),
        ("bl.example*two", "weight factor"),
        ("bl.example*1000000000000", "weight factor"),
        ("bl.example=127.0.0", "bad DNSBL filter syntax"),
        ("bl.example=", "bad DNSBL filter syntax"),
        ("-bad-.example", "bad DNSBL domain name"),
        ("=127.0.0.2", "bad DNSBL domain name"),
    ],
)
def test_what_is_no_site_is_an_error(text, says):
    with pytest.raises(ValueError, match=says):
        site_of(text)


def test_addresses_are_asked_for_in_reverse():
    assert query_name("192.0.2.99", "bl.example") == "99.2.0.192.bl.example"
    name = query_name("2001:db8::1", "bl.example")
    assert name == "1." + "0." * 23 + "8.b.d.0.1.0.0.2.bl.example"
