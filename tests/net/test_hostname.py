"""Host names and addresses."""

from __future__ import annotations

import pytest

from postroad.net.hostname import (
    ascii_name,
    bare_address,
    hostname_flaw,
    is_address,
    is_hostname,
    literal_address,
    plain_address,
)


@pytest.mark.parametrize(
    "name",
    [
        "example.com",
        "a",
        "mx_1.example.com",
        "3com.com",
        "x-y.example",
        "xn--bcher-kva.example",
        "bücher.example",
    ],
)
def test_a_host_name_passes(name):
    assert is_hostname(name)


@pytest.mark.parametrize(
    ("name", "flaw"),
    [
        ("", "empty hostname"),
        (".example.com", "misplaced delimiter"),
        ("example.com.", "misplaced delimiter"),
        ("a..b", "misplaced delimiter"),
        ("-a.example", "invalid character"),
        ("a.-b.example", "misplaced hyphen"),
        ("a-.example", "misplaced hyphen"),
        ("a b", "invalid character"),
        ("a\\032b", "invalid character"),
        ("a\nb.example", "invalid character"),
        ("a.example\n", "invalid character"),
        ("192.0.2.1", "numeric hostname"),
        ("12345", "numeric hostname"),
        ("x" * 64 + ".example", "hostname label too long"),
        ("a." * 130 + "b", "bad length 261"),
        ("\udcff.example", "malformed UTF-8 or domain name"),
    ],
)
def test_what_is_no_host_name_is_refused_with_a_reason(name, flaw):
    assert hostname_flaw(name) == flaw


def test_u_labels_become_a_labels():
    assert ascii_name("Bücher.example") == "xn--bcher-kva.example"
    assert ascii_name("Example.COM") == "Example.COM"
    assert ascii_name("\ud800") is None


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:DB8:0::1", "2001:db8::1"),
        ("192.0.2.256", None),
        ("192.0.2", None),
        ("fe80::1%eth0", None),
        ("1" * 100, None),
        ("", None),
    ],
)
def test_an_address_is_read_and_anything_else_is_not(text, address):
    assert bare_address(text) == address
    assert is_address(text) == (address is not None)


@pytest.mark.parametrize(
    ("domain", "address"),
    [
        ("[192.0.2.1]", "192.0.2.1"),
        ("[IPv6:2001:db8::1]", "2001:db8::1"),
        ("[ipv6:2001:db8::1]", "2001:db8::1"),
        ("[2001:db8::1]", None),
        ("[IPv6:192.0.2.1]", None),
        ("[example.com]", None),
        ("192.0.2.1", None),
        ("[]", None),
    ],
)
def test_an_address_literal_is_read_as_rfc_5321_writes_it(domain, address):
    assert literal_address(domain) == address


@pytest.mark.parametrize(
    ("address", "plain"),
    [
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("::FFFF:c000:201", "192.0.2.1"),
        ("fe80::1%eth0", "fe80::1"),
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::1"),
    ],
)
def test_scope_and_ipv6_shell_are_taken_off(address, plain):
    assert plain_address(address) == plain
