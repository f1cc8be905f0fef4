"""Which addresses are our own."""

from __future__ import annotations

import ipaddress

import pytest

from postroad.base.params import settings_of
from postroad.model.params import params as model_params
from postroad.net.interfaces import Interface, OwnAddresses, families, machine_interfaces, own_addresses

MACHINE = [
    Interface("127.0.0.1", 8),
    Interface("192.0.2.2", 24),
    Interface("::1", 128),
    Interface("2001:db8::2", 64),
]


def settings(**texts):
    return settings_of([model_params], append_dot_mydomain="no", smtputf8_enable="no", **texts)


def own(**texts):
    names = {"mx.example": ["192.0.2.2", "2001:db8::2"], "nat.example": ["198.51.100.1"]}
    return own_addresses(settings(**texts), machine=lambda: MACHINE, lookup=lambda name: names.get(name, []))


def test_the_kernel_is_asked_for_the_machines_addresses():
    found = machine_interfaces()
    assert Interface("127.0.0.1", 8) in found
    assert all(ipaddress.ip_address(i.address) for i in found)


def test_all_interfaces_are_ours_by_default():
    assert own().own == ("127.0.0.1", "192.0.2.2", "::1", "2001:db8::2")


def test_protocols_that_are_off_take_their_addresses_away():
    assert own(inet_protocols="ipv4").own == ("127.0.0.1", "192.0.2.2")
    assert own(inet_protocols="ipv6").own == ("::1", "2001:db8::2")


def test_loopback_only_means_that():
    assert own(inet_interfaces="loopback-only").own == ("127.0.0.1", "::1")


def test_hosts_and_addresses_are_listed_once():
    assert own(inet_interfaces="mx.example, [2001:db8::2] 127.0.0.1").own == (
        "192.0.2.2",
        "2001:db8::2",
        "127.0.0.1",
    )


def test_a_proxy_in_front_is_ours_too():
    addresses = own(inet_interfaces="127.0.0.1", proxy_interfaces="nat.example")
    assert addresses.proxy == ("198.51.100.1",)
    assert "198.51.100.1" in addresses


@pytest.mark.parametrize("parameter", ["inet_interfaces", "proxy_interfaces"])
def test_a_host_without_an_address_is_an_error(parameter):
    with pytest.raises(ValueError, match=f"config variable {parameter}: host not found: nowhere.example"):
        own(**{parameter: "nowhere.example"})


@pytest.mark.parametrize(
    ("address", "ours"),
    [
        ("192.0.2.2", True),
        ("192.0.2.3", False),
        ("2001:DB8:0::2", True),
        ("::ffff:192.0.2.2", True),
        ("0.0.0.0", True),
        ("::", True),
        ("127.0.0.99", True),
        ("mx.example", False),
        ("", False),
        (None, False),
    ],
)
def test_an_address_that_leads_back_to_us_is_known(address, ours):
    assert (address in own()) is ours


def test_the_rest_of_the_loopback_network_is_not_ours_when_we_listen_on_one_address():
    addresses = OwnAddresses(["127.0.0.1"])
    assert "127.0.0.1" in addresses
    assert "127.0.0.2" not in addresses


def test_the_families_follow_inet_protocols():
    assert families(settings(inet_protocols="ipv4")) == (4,)
    assert families(settings(inet_protocols="ipv6")) == (6,)
    assert families(settings(inet_protocols="ipv6, ipv4")) == (4, 6)
