"""The forms of an address, its extension, and the keys it is looked up by."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.mail.address import (
    Extensions,
    access_keys,
    domain_keys,
    fold,
    lookup_keys,
    needs_quotes,
    network_keys,
    split,
    split_extension,
    to_external,
    to_internal,
    transport_keys,
)

ADDRESSES = st.text(
    alphabet=st.characters(codec="utf-8") | st.sampled_from('@"\\. <>()[]\r\n\t\0')
) | st.text(alphabet="ab@.\"\\ +'")


@given(ADDRESSES)
def test_the_internal_form_survives_quoting(address):
    assert to_internal(to_external(address)) == address


@given(ADDRESSES)
def test_what_is_quoted_once_is_a_dot_string_or_a_quoted_string(address):
    local, _ = split(to_external(address))
    assert not address or not needs_quotes(local) or (local[0] == local[-1] == '"' and len(local) > 1)


@given(st.text())
def test_unquoting_never_fails(text):
    to_internal(text)


@pytest.mark.parametrize(
    ("internal", "external"),
    [
        ("", ""),
        ("user@example.com", "user@example.com"),
        ("user", "user"),
        ("john smith@example.com", '"john smith"@example.com'),
        (".a@b", '".a"@b'),
        ("a.@b", '"a."@b'),
        ("a..b@c", '"a..b"@c'),
        ("a@b@c", '"a@b"@c'),
        ('a"b\\c@d', '"a\\"b\\\\c"@d'),
        ("@example.com", '""@example.com'),
        ("jürgen@example.com", "jürgen@example.com"),
        ("a!b%c#$&'*+-/=?^_`{|}~@d", "a!b%c#$&'*+-/=?^_`{|}~@d"),
    ],
)
def test_local_parts_are_quoted_where_rfc_5321_demands_it(internal, external):
    assert to_external(internal) == external
    assert to_internal(external) == internal


@pytest.mark.parametrize(
    ("external", "internal"),
    [
        ('"a"."b"@c', "a.b@c"),
        ("a\\@b@c", "a@b@c"),
        ('"a@b"', "a@b"),
        ('"unclosed@c', "unclosed@c"),
        ('a@b"c', 'a@b"c'),
    ],
)
def test_odd_external_forms_lose_their_quotes(external, internal):
    assert to_internal(external) == internal


@pytest.mark.parametrize(
    ("address", "parts"),
    [("a@b@c", ("a@b", "c")), ("a", ("a", "")), ("a@", ("a", "")), ("@b", ("", "b")), ("", ("", ""))],
)
def test_an_address_is_split_at_its_last_at(address, parts):
    assert split(address) == parts


@pytest.mark.parametrize(
    ("local", "delimiter", "parts"),
    [
        ("user+ext", "+", ("user", "ext")),
        ("user+a+b", "+", ("user", "a+b")),
        ("user-a+b", "+-", ("user", "a+b")),
        ("user+", "+", ("user", "")),
        ("user", "+", ("user", "")),
        ("+ext", "+", ("+ext", "")),
        ("user+ext", "", ("user+ext", "")),
        ("MAILER-daemon", "-", ("MAILER-daemon", "")),
        ("double-bounce", "-", ("double-bounce", "")),
        ("owner-list", "-", ("owner-list", "")),
        ("list-request", "-", ("list-request", "")),
        ("-request", "-", ("-request", "")),
        ("owner-list", "+", ("owner-list", "")),
    ],
)
def test_extensions_are_split_as_postfix_does(local, delimiter, parts):
    assert split_extension(local, delimiter) == parts


def test_list_names_are_split_when_owner_request_special_is_off():
    assert split_extension("owner-list", "-", owner_request_special=False) == ("owner", "list")


@given(st.text(), st.text(alphabet="+-=", max_size=2))
def test_stripping_loses_nothing(local, delimiter):
    base, extension = Extensions(delimiter).strip(local)
    assert base + extension == local
    assert base or not local


@pytest.mark.parametrize(
    ("key", "folded"),
    [("ABC", "abc"), ("ÄB", "äb"), ("Straße", "strasse"), ("A\udcffB", "a\udcffb"), ("", "")],
)
def test_folding(key, folded):
    assert fold(key) == folded


@given(st.text())
def test_folding_twice_is_folding_once(text):
    assert fold(fold(text)) == fold(text)


def texts(keys):
    return [key.text for key in keys]


def test_virtual_keys_in_order_for_a_foreign_domain():
    keys = lookup_keys("user+ext@example.com", "+")
    assert texts(keys) == ["user+ext@example.com", "user@example.com", "@example.com"]
    assert [key.partial for key in keys] == [False, True, True]
    assert [key.extension for key in keys] == ["", "+ext", ""]


def test_virtual_keys_in_order_for_a_domain_of_ours():
    assert texts(lookup_keys("u+e@d", "+", local=True)) == ["u+e@d", "u@d", "u+e", "u", "@d"]
    assert texts(lookup_keys("u@x@d", "+", local=True)) == ["u@x@d", "@d"]


def test_keys_of_a_name_without_a_domain():
    assert texts(lookup_keys("u+e", "+")) == ["u+e", "u"]
    assert texts(lookup_keys("", "+")) == [""]


def test_transport_keys_have_parents_with_a_dot():
    assert texts(transport_keys("u+e@a.b.c", "+")) == ["u+e@a.b.c", "u@a.b.c", "a.b.c", ".b.c", ".c"]
    assert texts(transport_keys("u@a.b", "", parents=True)) == ["u@a.b", "a.b", "b"]


def test_access_keys_end_with_the_user():
    assert texts(access_keys("u+e@a.b", "+")) == ["u+e@a.b", "u@a.b", "a.b", "b", "u+e@", "u@"]
    assert texts(access_keys("postmaster", "")) == ["postmaster"]


def test_domain_keys_of_nothing_are_none():
    assert domain_keys("") == []
    assert texts(domain_keys("a.b.")) == ["a.b.", "b."]


def test_network_keys_lose_a_piece_at_a_time():
    assert texts(network_keys("192.0.2.7")) == ["192.0.2.7", "192.0.2", "192.0", "192"]
    assert texts(network_keys("2001:db8::1")) == ["2001:db8::1", "2001:db8:", "2001:db8", "2001"]
