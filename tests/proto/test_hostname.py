from __future__ import annotations

import pytest

from postroad.proto.hostname import valid_address, valid_hostname, valid_literal, valid_unicode_hostname

LONG = ".".join(["b" * 60] * 4)


@pytest.mark.parametrize(
    "name",
    ["example.net", "a", "ex_ample.net", "xn--bcher-kva.example", "1a", "a.1", f"{LONG}.example", "a-b.c"],
)
def test_host_names_are_known(name):
    assert valid_hostname(name)
    assert valid_unicode_hostname(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "a.",
        ".a",
        "a..b",
        "-a",
        "a-",
        "a-.b",
        "1",
        "192.0.2.1",
        "1.2.3",
        "a b",
        "b\u00fccher",
        "a" * 64,
        f"{LONG}.example.example",
        "xn--.example",
        "a/b",
    ],
)
def test_other_things_are_not_host_names(name):
    assert not valid_hostname(name)


@pytest.mark.parametrize(
    "name",
    ["b\u00fccher.example", "a\u3002example", "\u00df.example", "\U0001f4a9.example", "\u9a7f\u9053.example"],
)
def test_unicode_names_are_judged_by_their_ascii_form(name):
    assert valid_unicode_hostname(name)


@pytest.mark.parametrize(
    "name",
    ["\u200b.example", "\u3002.example", "\u00fc" * 63 + ".example", "\u202e.example", "a\u00a0b.example"],
)
def test_unicode_names_that_have_no_ascii_form_are_none(name):
    assert not valid_unicode_hostname(name)


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("192.0.2.1", True),
        ("01.2.3.4", True),
        ("0.0.0.0", True),
        ("0.0.0.1", False),
        ("192.0.2.256", False),
        ("1.2.3", False),
        ("::1", True),
        ("2001:db8::7", True),
        ("::ffff:192.0.2.1", True),
        ("1:2:3:4:5:6:7:8:9", False),
        ("fe80::1%eth0", False),
        ("x", False),
    ],
)
def test_addresses_are_known(text, good):
    assert valid_address(text) is good


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("[192.0.2.1]", True),
        ("[IPv6:2001:db8::1]", True),
        ("[ipv6:::1]", True),
        ("[::1]", False),
        ("[x.example]", False),
        ("[]", False),
        ("192.0.2.1", False),
        ("[IPv6:192.0.2.1]", False),
        ("[ 192.0.2.1 ]", False),
    ],
)
def test_literals_are_known(text, good):
    assert valid_literal(text) is good
