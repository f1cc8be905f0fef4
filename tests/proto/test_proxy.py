import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.proto.proxy import Proxied, ProxyError, parse

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
LINE = b"PROXY TCP4 192.0.2.1 198.51.100.2 50000 25\r\n"


def binary(client, server, *, family=0x11, command=0x21, more=b""):
    kind = socket.AF_INET6 if ":" in client else socket.AF_INET
    body = (
        socket.inet_pton(kind, client) + socket.inet_pton(kind, server) + struct.pack("!HH", 50000, 25) + more
    )
    return SIGNATURE + struct.pack("!BBH", command, family, len(body)) + body


def test_a_line_names_both_ends():
    expected = Proxied(len(LINE), "192.0.2.1", 50000, "198.51.100.2", 25)
    assert parse(LINE + b"EHLO x\r\n") == expected


def test_ipv6_and_what_is_ipv4_in_truth():
    assert parse(b"PROXY TCP6 2001:db8::1 2001:DB8::2 1 2\r\n").server_address == "2001:db8::2"
    assert parse(b"PROXY TCP6 ::ffff:192.0.2.1 ::1 1 2\r\n").client_address == "192.0.2.1"
    assert parse(binary("2001:db8::1", "::1", family=0x21)).client_address == "2001:db8::1"


def test_a_binary_header_may_have_more_than_addresses():
    header = binary("192.0.2.1", "198.51.100.2", more=b"\x04\0\x01x")
    assert parse(header + b"EHLO") == Proxied(len(header), "192.0.2.1", 50000, "198.51.100.2", 25)


@pytest.mark.parametrize(
    "header",
    [
        b"PROXY UNKNOWN\r\n",
        b"PROXY UNKNOWN ff 1 2 3\r\n",
        SIGNATURE + b"\x20\0\0\0",
        SIGNATURE + b"\x20\x11\0\x02ab",
    ],
)
def test_a_proxy_that_speaks_for_itself(header):
    assert parse(header) == Proxied(len(header), local=True)


@pytest.mark.parametrize(
    "header", [LINE, binary("192.0.2.1", "192.0.2.2"), binary("::1", "::2", family=0x21)]
)
def test_nothing_is_decided_before_it_is_complete(header):
    for cut in range(len(header)):
        assert parse(header[:cut]) is None
    assert parse(header).size == len(header)


@pytest.mark.parametrize(
    "header",
    [
        b"EHLO x\r\n", b"PROXY\r\n", b"PROXY TCP4\r\n", b"PROXY TCP4 192.0.2.1 ::1 1 2\r\n", b"\r\n\r\nX",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 1 65536\r\n", b"PROXY TCP4 192.0.2.1 192.0.2.2 -1 2\r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n", b"PROXY TCP4 192.0.2.1  192.0.2.2 1 2\r\n",
        b"PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n", b"PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n", b"PROXY " + b"x" * 101,
        SIGNATURE + b"\x11\x11\0\x0c" + b"x" * 12, SIGNATURE + b"\x22\x11\0\x0c" + b"x" * 12,
        SIGNATURE + b"\x21\x11\0\x0b" + b"x" * 11, SIGNATURE + b"\x21\x31\0\xd8", SIGNATURE + b"\x21\x11\xff\xff",
        SIGNATURE + b"\x21\x00\0\0",
    ],
)  # fmt: skip
def test_what_is_no_header_is_no_client(header):
    with pytest.raises(ProxyError):
        parse(header)


@given(
    st.binary(max_size=700),
    st.sampled_from([b"", b"PROXY ", b"PROXY TCP4 ", SIGNATURE, SIGNATURE + b"\x21\x11"]),
)
def test_any_bytes_end_in_one_of_three_ways(data, beginning):
    try:
        found = parse(beginning + data)
    except ProxyError:
        return
    assert found is None or 0 < found.size <= len(beginning + data)
    assert found is not None or len(beginning + data) < 600
