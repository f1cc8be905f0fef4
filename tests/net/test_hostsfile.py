"""The hosts file."""

from __future__ import annotations

import pytest

from postroad.net.hostsfile import HostsFile


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "hosts"
    path.write_text(
        "127.0.0.1 localhost loop # comment\n::1 localhost ip6-localhost\n\nnonsense x\n192.0.2.1\n"
        "192.0.2.1 Mail.Example mail\n192.0.2.1 other\n192.0.2.1 mail\n"
    )
    return path


def test_names_and_addresses_are_found(path, clock):
    hosts = HostsFile(clock, str(path))
    assert hosts.name("127.0.0.1") == "localhost"
    assert hosts.name("192.0.2.1") == "Mail.Example"
    assert hosts.addresses("LOCALHOST") == ["127.0.0.1", "::1"]
    assert hosts.addresses("localhost", 6) == ["::1"]
    assert hosts.addresses("mail", 4) == ["192.0.2.1"]


def test_what_is_not_there_is_empty(path, clock):
    hosts = HostsFile(clock, str(path))
    assert hosts.name("192.0.2.9") == ""
    assert hosts.addresses("x") == []
    assert HostsFile(clock, str(path) + ".missing").addresses("localhost") == []


def test_the_file_is_followed(path, clock):
    hosts = HostsFile(clock, str(path))
    assert hosts.addresses("new") == []
    path.write_text("192.0.2.5 new\n")
    clock.advance(5)
    assert hosts.addresses("new") == ["192.0.2.5"]
    assert hosts.addresses("localhost") == []
    path.unlink()
    clock.advance(5)
    assert hosts.addresses("new") == ["192.0.2.5"]
