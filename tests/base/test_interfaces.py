import socket

import pytest

from postroad.base import interfaces
from postroad.base.interfaces import default_networks, own_interfaces, parse_interfaces, used_interfaces

TEXTS = ("127.0.0.1/8", "192.0.2.2/25", "10.1.2.3/30", "::1/128", "2001:db8::2/64")
EVERY = parse_interfaces(TEXTS)


def test_the_loopback_address_is_always_known():
    assert any(text.startswith("127.0.0.1/") for text in own_interfaces())


def test_without_an_answer_from_the_kernel_loopback_remains(monkeypatch):
    def fail():
        raise OSError

    monkeypatch.setattr(interfaces, "_ask_kernel", fail)
    assert own_interfaces() == ("127.0.0.1/8", "::1/128")


@pytest.mark.parametrize(
    ("style", "networks"),
    [
        ("host", "127.0.0.1/32 192.0.2.2/32 10.1.2.3/32 [::1]/128 [2001:db8::2]/128"),
        ("subnet", "127.0.0.0/8 192.0.2.0/25 10.1.2.0/30 [::1]/128 [2001:db8::]/64"),
        ("class", "127.0.0.0/8 192.0.2.0/24 10.0.0.0/8 [::1]/128 [2001:db8::]/64"),
    ],
)
def test_mynetworks_of_each_style(style, networks):
    assert default_networks(EVERY, style) == networks


@pytest.mark.parametrize(
    ("names", "protocols", "addresses"),
    [
        (["all"], ["all"], ["127.0.0.1", "192.0.2.2", "10.1.2.3", "::1", "2001:db8::2"]),
        (["all"], ["ipv4"], ["127.0.0.1", "192.0.2.2", "10.1.2.3"]),
        (["loopback-only"], ["all"], ["127.0.0.1", "::1"]),
        (["192.0.2.2", "[2001:db8::2]"], ["ipv4", "ipv6"], ["192.0.2.2", "2001:db8::2"]),
        (["192.0.2.99"], ["all"], []),
    ],
)
def test_interfaces_in_use(names, protocols, addresses):
    assert [str(each.ip) for each in used_interfaces(EVERY, names, protocols)] == addresses


def test_a_host_that_cannot_be_found_has_no_interface(monkeypatch):
    def fail(*_args):
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    assert used_interfaces(EVERY, ["nowhere.example"], ["all"]) == []


def test_what_is_no_interface_is_left_out():
    assert parse_interfaces(["x", "1.2.3.4/99", "1.2.3.4/8"]) == parse_interfaces(["1.2.3.4/8"])
