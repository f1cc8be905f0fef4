from __future__ import annotations

import pytest

from postroad.smtpd.networks import Networks


@pytest.mark.parametrize(
    ("v4", "v6", "address", "network"),
    [
        (32, 128, "192.0.2.1", "192.0.2.1"),
        (32, 128, "2001:db8::1", "2001:db8::1"),
        (24, 84, "192.0.2.1", "192.0.2.0/24"),
        (24, 84, "2001:db8:0:0:0:f123::1", "2001:db8::f000:0:0/84"),
        (24, 84, "unknown", "unknown"),
        (0, 0, "192.0.2.1", "0.0.0.0/0"),
    ],
)
def test_addresses_are_counted_by_their_beginning(v4, v6, address, network):
    assert Networks(v4, v6).of(address) == network
