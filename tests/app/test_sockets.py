"""Where the services listen: names, addresses, ports, and what is in the way."""

import errno
import socket

import pytest

from app.texts import config_of
from peers.harness import free_port
from postroad.app.sockets import bind, close, close_unused, endpoints, open_all
from postroad.base.errors import ConfigurationError, Severity


def places(main="", master="", port=2525):
    found, problems = endpoints(config_of(main, master, port))
    assert not problems
    return {(each.service, each.address, each.port) for each in found}


def test_a_service_listens_on_every_interface_of_inet_interfaces():
    found = places("inet_interfaces = 127.0.0.1, 127.0.0.2\n")
    assert found == {("2525/inet", "127.0.0.1", 2525), ("2525/inet", "127.0.0.2", 2525)}


def test_an_address_with_two_names_is_listened_on_once():
    config = config_of("inet_interfaces = localhost, 127.0.0.1\n", "", 2525)
    assert [each.address for each in endpoints(config)[0]] == ["127.0.0.1"]


@pytest.mark.parametrize(
    ("protocols", "addresses"), [("ipv4", {"0.0.0.0"}), ("ipv6", {"::"}), ("all", {"0.0.0.0", "::"})]
)
def test_all_interfaces_are_the_wildcards_of_inet_protocols(protocols, addresses):
    found = places(f"inet_interfaces = all\ninet_protocols = {protocols}\n")
    assert {address for _service, address, _port in found} == addresses


def test_postscreen_listens_and_what_it_hands_clients_to_does_not():
    found = places("", "127.0.0.9:2600 inet n - n - 1 postscreen\nsmtpd pass - - n - - smtpd\n")
    assert found == {("2525/inet", "127.0.0.1", 2525), ("127.0.0.9:2600/inet", "127.0.0.9", 2600)}


@pytest.mark.parametrize(
    ("name", "address", "port"),
    [
        ("127.0.0.9:2600", "127.0.0.9", 2600),
        ("localhost:submission", "127.0.0.1", 587),
        ("smtps", "127.0.0.1", 465),
    ],
)
def test_a_service_is_a_host_and_a_port_by_number_or_name(name, address, port):
    assert (f"{name}/inet", address, port) in places("", f"{name} inet n - n - - smtpd\n")


@pytest.mark.parametrize(
    "name", ["127.0.0.1:nosuchport", "127.0.0.1:70000", "no.such.host.invalid:25", "[::1]:2600"]
)
def test_a_service_that_can_have_no_socket_is_named_with_its_line(name):
    _found, [problem] = endpoints(config_of("", f"{name} inet n - n - - smtpd\n"))
    assert problem.where == "master.cf:4"
    assert problem.severity is Severity.ERROR


def test_a_port_whose_clients_begin_with_tls_is_opened_like_any_other():
    config = config_of("", "smtps inet n - n - - smtpd -o smtpd_tls_wrappermode=yes\n", 2525)
    found, problems = endpoints(config)
    assert [each.port for each in found] == [2525, 465]
    assert problems == []


def test_every_worker_has_a_socket_of_its_own_on_one_port():
    config = config_of()
    opened = open_all(config, 3, {})
    [(endpoint, sockets)] = opened.values()
    assert [sock.getsockname() for sock in sockets] == [("127.0.0.1", endpoint.port)] * 3
    close(sockets)


def test_a_port_that_another_program_has_is_refused_and_named():
    with socket.create_server(("127.0.0.1", 0), reuse_port=True) as other:
        config = config_of(port=other.getsockname()[1])
        with pytest.raises(
            ConfigurationError, match=r"master.cf:1: bind .*Address already in use \(another program"
        ):
            open_all(config, 2, {})


def test_when_one_port_cannot_be_had_none_is_kept():
    port = free_port()
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        with pytest.raises(ConfigurationError):
            open_all(config_of("", f"{taken} inet n - n - - smtpd\n", port), 2, {})
    socket.create_server(("127.0.0.1", port)).close()


def test_two_services_on_one_port_are_told_of_each_other():
    config = config_of("", "127.0.0.1:2599 inet n - n - - smtpd\n", 2599)
    with pytest.raises(ConfigurationError, match=r"master.cf:4: bind .*the service at master.cf:1 has it"):
        open_all(config, 1, {})


def test_what_is_open_stays_open_what_is_new_is_opened_and_nothing_is_closed_yet():
    first, second = free_port(), free_port()
    before = open_all(config_of(port=first), 1, {})
    after = open_all(config_of("", f"{second} inet n - n - - smtpd\n", first), 1, before)
    assert len(after) == 2
    assert all(after[key] == value for key, value in before.items())
    close_unused(before, after)
    assert all(sock.fileno() >= 0 for _endpoint, socks in after.values() for sock in socks)
    close_unused(after, {})
    assert all(sock.fileno() < 0 for _endpoint, socks in after.values() for sock in socks)


def test_a_service_that_only_changed_its_name_keeps_its_sockets():
    port = free_port()
    before = open_all(config_of(port=port), 1, {})
    after = open_all(config_of(port=f"127.0.0.1:{port}"), 1, before)
    assert [key.partition(" ")[0] for key in after] == [f"127.0.0.1:{port}/inet"]
    close_unused(before, after)
    [(_endpoint, [sock])] = after.values()
    assert sock.getsockname() == ("127.0.0.1", port)
    sock.close()


class NoSocket(socket.socket):
    error = errno.EADDRNOTAVAIL

    def bind(self, _address):
        raise OSError(self.error, "told to fail")


@pytest.mark.parametrize(
    ("address", "number", "empty"),
    [
        ("::", errno.EADDRNOTAVAIL, True),
        ("::1", errno.EAFNOSUPPORT, True),
        ("::", errno.EACCES, False),
        ("::2", errno.EADDRNOTAVAIL, False),
    ],
)
def test_a_machine_without_ipv6_is_no_error_and_a_port_that_we_may_not_bind_is(
    monkeypatch, address, number, empty
):
    config = config_of("inet_protocols = ipv6\n", f"[{address}]:2598 inet n - n - - smtpd\n", 2525)
    endpoint = next(each for each in endpoints(config)[0] if each.port == 2598)
    monkeypatch.setattr(NoSocket, "error", number)
    monkeypatch.setattr("postroad.app.sockets.socket.socket", NoSocket)
    if empty:
        assert bind(endpoint, 2) == []
    else:
        with pytest.raises(OSError, match="told to fail"):
            bind(endpoint, 2)
