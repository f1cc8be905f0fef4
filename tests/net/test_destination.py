"""Next hops as text."""

from __future__ import annotations

import pytest

from postroad.net.destination import BadDestinationError, parse_destination


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("example.com", "example.com", 25),
        ("[mx.example.com]", "mx.example.com", 25),
        ("[mx.example.com]:587", "mx.example.com", 587),
        ("example.com:2525", "example.com", 2525),
        ("example.com:smtp", "example.com", 25),
        ("[2001:db8::1]:26", "2001:db8::1", 26),
        ("2001:db8::1", "2001:db8::1", 25),
        ("[192.0.2.1]", "192.0.2.1", 25),
    ],
)
def test_a_destination_is_host_and_port(text, host, port):
    assert parse_destination(text) == (host, port)


def test_the_port_without_one_is_the_callers():
    assert parse_destination("x", "24") == ("x", 24)
    assert parse_destination("x", "smtp") == ("x", 25)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[x", "bad syntax"),
        ("[x]y", "bad syntax"),
        (":25", "missing host name"),
        ("x:0", "bad network port"),
        ("x:65536", "bad network port"),
        ("x:99999999999999999999", "bad network port"),
        ("x:nosuchservice", "unknown service: nosuchservice/tcp"),
    ],
)
def test_what_cannot_be_read_is_named(text, reason):
    with pytest.raises(BadDestinationError, match=reason):
        parse_destination(text)
