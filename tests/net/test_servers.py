"""Which servers are asked."""

from __future__ import annotations

import os

import pytest

from postroad.net.servers import Server, Servers, parse_server, read_resolv_conf


@pytest.mark.parametrize(
    ("text", "address", "port"),
    [
        ("192.0.2.1", "192.0.2.1", 53),
        ("192.0.2.1:5300", "192.0.2.1", 5300),
        ("[192.0.2.1]:5300", "192.0.2.1", 5300),
        ("[2001:db8::1]", "2001:db8::1", 53),
        ("[2001:db8::1]:54", "2001:db8::1", 54),
        ("2001:db8::1", "2001:db8::1", 53),
    ],
)
def test_a_server_is_read(text, address, port):
    assert parse_server(text) == Server(address, port)


@pytest.mark.parametrize(
    "text", ["localhost", "[::1", "[::1]x", "192.0.2.1:0", "192.0.2.1:99999", "1.2.3.4:x", ""]
)
def test_what_names_no_server_is_refused(text):
    with pytest.raises(ValueError):
        parse_server(text)


def test_resolv_conf_gives_at_most_three_servers_and_this_host_without_any():
    text = (
        "search x\nnameserver 192.0.2.1\n#nameserver 192.0.2.9\nnameserver nonsense\nnameserver 127.0.0.53\n"
    )
    assert read_resolv_conf(text) == (Server("192.0.2.1"), Server("127.0.0.53"))
    assert read_resolv_conf("") == (Server("127.0.0.1"),)
    assert len(read_resolv_conf("nameserver 192.0.2.1\n" * 9)) == 3


def test_the_file_is_followed_and_its_loss_changes_nothing(tmp_path, clock):
    path = tmp_path / "resolv.conf"
    path.write_text("nameserver 192.0.2.1\n")
    servers = Servers([], clock, str(path))
    assert servers.now()[0].address == "192.0.2.1"
    path.write_text("nameserver 192.0.2.2\n#\n")
    assert servers.now()[0].address == "192.0.2.1"  # not looked at yet
    clock.advance(5)
    assert servers.now()[0].address == "192.0.2.2"
    os.unlink(path)
    clock.advance(5)
    assert servers.now()[0].address == "192.0.2.2"


def test_configured_servers_win_over_the_file(tmp_path, clock):
    path = tmp_path / "resolv.conf"
    path.write_text("nameserver 192.0.2.1\n")
    assert Servers(["192.0.2.7"], clock, str(path)).now() == (Server("192.0.2.7"),)
