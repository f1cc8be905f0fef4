from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.proto import path


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("<a@example.net>", "a@example.net"),
        ("a@example.net", "a@example.net"),
        ("<>", ""),
        ('<"">', ""),
        ("<(comment)>", ""),
        ("<Some One <a@example.net>>", "a@example.net"),
        ("a<b@example.net>", "b@example.net"),
        ("<<a@example.net>>", "a@example.net"),
        ("<a(x (y) z)@example.net>", "a@example.net"),
        ("< a @ example .net >", "a@example.net"),
        ("<group:a@example.net;>", "a@example.net"),
        ("<,a@example.net,>", "a@example.net"),
        ("<a@example.net>>", "a@example.net"),
        ("<@a.example,@b.example:c@example.net>", "c@example.net"),
        ('<"a b"@example.net>', "a b@example.net"),
        ('<"a\\"b"@example.net>', 'a"b@example.net'),
        ("<a\\@b@example.net>", "a@b@example.net"),
        ('<"a".b@example.net>', "a.b@example.net"),
        ("<a@[192.0.2.1]>", "a@[192.0.2.1]"),
        ("<a@[192.0.2.1>", "a@[192.0.2.1]"),
        ("<a:b@example.net>", "a:b@example.net"),
        ("<@example.net>", "@example.net"),
        ("<postmaster>", "postmaster"),
    ],
)
def test_an_address_is_found_in_what_surrounds_it(text, address):
    assert path.parse(text) == address


@pytest.mark.parametrize(
    "text",
    [
        "<a b@example.net>",
        "<a@example.net,b@example.net>",
        "<a;b@example.net>",
        "<a@example.net>SIZE=10",
        "<a>b@example.net>",
        "<a<b>@example.net>",
        '<"a"b@example.net>',
        "<a@[192.0.2.1]x>",
    ],
)
def test_two_addresses_are_none(text):
    with pytest.raises(path.BadAddress):
        path.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "a@example.net",
        "<Name <a@example.net>>",
        "<g:a@example.net;>",
        "<@example.net>",
        "<a(c)@example.net>",
        "<a@example.net,>",
    ],
)
def test_strictly_only_an_address_in_brackets_is_one(text):
    path.parse(text)
    with pytest.raises(path.BadAddress):
        path.parse(text, strict=True)


@pytest.mark.parametrize(
    "address",
    [
        "a@example.net",
        "a@example.net.",
        "a@ex_ample.net",
        "a",
        "a@[192.0.2.1]",
        "a@[192.0.2.1].",
        "a@[IPv6:::1]",
        "a@b@c",
    ],
)
def test_good_domains_pass(address):
    path.check(address, unicode_domain=False)


@pytest.mark.parametrize(
    "address",
    [
        "a@",
        "@",
        "a@.",
        "a@example..net",
        "a@example.net..",
        "a@-x.net",
        "a@x-.net",
        "a@192.0.2.1",
        "a@1",
        "a@[1.2.3]",
        "a@[::1]",
        "a@[]",
        "[a@example.net]x",
        "[a]",
        "-a@example.net",
        "a@b\u00fccher.example",
        "a@x/y",
        "a@a b",
    ],
)
def test_bad_domains_and_leading_hyphens_do_not(address):
    with pytest.raises(path.BadAddress):
        path.check(address, unicode_domain=False)


def test_choices_of_the_operator_count():
    path.check("-a@example.net", unicode_domain=False, leading_hyphen=True)


def test_an_address_without_brackets_is_a_domain_where_that_is_wanted():
    path.check("a@192.0.2.1", unicode_domain=False, numeric_domain=True)
    for address, wanted in (("a@192.0.2.1", False), ("a@192.0.2", True), ("a@1234", True)):
        with pytest.raises(path.BadAddress):
            path.check(address, unicode_domain=False, numeric_domain=wanted)
    path.check("a@b\u00fccher.example", unicode_domain=True)
    with pytest.raises(path.BadAddress):
        path.check("\u00e4@example.net", unicode_domain=True, ascii_only=True)


@given(st.text(st.sampled_from('ab@.,:;<>"\\()[] \u00e4\t'), max_size=40))
def test_whatever_comes_is_an_address_or_refused(text):
    try:
        address = path.parse(text)
        path.check(address, unicode_domain=True)
    except path.BadAddress:
        return
    assert "\r" not in address
    assert "\n" not in address
