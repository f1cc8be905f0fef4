import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.tables.network import Network, parse_address, parse_network


@pytest.mark.parametrize(
    ("text", "network"),
    [
        ("192.0.2.7", Network(32, 0xC0000207, 32)),
        ("192.0.2.0/24", Network(32, 0xC0000200, 24)),
        ("0.0.0.0/0", Network(32, 0, 0)),
        ("[::1]", Network(128, 1, 128)),
        ("[2001:db8::]/32", Network(128, 0x20010DB8 << 96, 32)),
        ("[2001:db8::/32]", Network(128, 0x20010DB8 << 96, 32)),
        ("2001:db8::/32", Network(128, 0x20010DB8 << 96, 32)),
    ],
)
def test_forms_of_a_network(text, network):
    assert parse_network(text) == network


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "10.0.0.1/8",
            'non-null host address bits in "10.0.0.1/8", perhaps you should use "10.0.0.0/8" instead',
        ),
        (
            "[2001:db8::]/1",
            'non-null host address bits in "[2001:db8::]/1", perhaps you should use "::/1" instead',
        ),
        ("10.0.0.0/33", 'bad mask length in "10.0.0.0/33"'),
        ("10.0.0.0/", 'bad mask length in "10.0.0.0/"'),
        ("10.0.0.0/x", 'bad mask length in "10.0.0.0/x"'),
        ("10.0.0.0/-1", 'bad mask length in "10.0.0.0/-1"'),
        ("10.0.0/8", 'bad net/mask pattern: "10.0.0/8"'),
        ("foo", 'bad address pattern: "foo"'),
        ("[::1", 'missing "]" character after "[::1"'),
        ("[::1]x", 'garbage after "]": "x"'),
    ],
)
def test_what_is_no_network_is_refused_in_postfix_words(text, problem):
    with pytest.raises(ValueError) as caught:
        parse_network(text)
    assert str(caught.value) == problem


@pytest.mark.parametrize(
    "text", ["", "unknown", "1.2.3", "1.2.3.4.5", "::g", "1.2.3.4\0", "1.2.3.4 ", "٣.1.1.1"]
)
def test_what_is_no_address_is_none(text):
    assert parse_address(text) is None


@given(st.ip_addresses(), st.ip_addresses(), st.integers(0, 32))
def test_a_network_holds_what_it_should(address, other, length):
    network = parse_network(str(ipaddress.ip_network((other, length), strict=False)))
    expected = address in ipaddress.ip_network((other, length), strict=False)
    assert network.holds(*parse_address(str(address))) is expected
