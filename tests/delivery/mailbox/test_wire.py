"""Packets between worker and helper."""

from __future__ import annotations

import array
import os
import socket

import pytest

from postroad.base.errors import StoreUnavailable
from postroad.delivery.mailbox import wire


@pytest.fixture
def ends():
    ends = wire.pair()
    yield ends
    for end in ends:
        end.close()


def test_a_packet_arrives_as_it_was_sent(ends):
    wire.send(ends[0], b"one")
    wire.send(ends[0], b"x" * (wire.PACKET - 1))
    assert wire.receive(ends[1]) == (b"one", -1)
    assert wire.receive(ends[1]) == (b"x" * (wire.PACKET - 1), -1)


def test_an_open_file_comes_with_its_packet(ends, tmp_path):
    (tmp_path / "f").write_bytes(b"content")
    with (tmp_path / "f").open("rb") as file:
        wire.send(ends[0], b"one", file.fileno())
    packet, fd = wire.receive(ends[1])
    content = wire.FileContent(fd, 7)
    assert (packet, b"".join(content.pieces(3))) == (b"one", b"content")
    content.close()
    content.close()


def test_the_end_is_an_empty_packet(ends):
    ends[0].close()
    assert wire.receive(ends[1]) == (b"", -1)


def test_a_packet_that_is_too_large_ends_the_talk(ends):
    wire.send(ends[0], b"x" * (wire.PACKET + 1))
    assert wire.receive(ends[1]) == (b"", -1)


def test_more_files_than_one_are_closed_and_end_the_talk(ends):
    before = len(os.listdir("/proc/self/fd"))
    for count in (2, 12):
        fds = array.array("i", [ends[0].fileno()] * count)
        ends[0].sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)])
        assert wire.receive(ends[1]) == (b"", -1)
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_file_that_is_shorter_than_was_said_is_an_error(tmp_path):
    (tmp_path / "f").write_bytes(b"content")
    content = wire.FileContent(os.open(tmp_path / "f", os.O_RDONLY), 100)
    with pytest.raises(StoreUnavailable, match="shorter"):
        list(content.pieces())
    content.close()
    with pytest.raises(StoreUnavailable, match="cannot be read"):
        list(wire.FileContent(content.fd, 1).pieces())


def test_requests_and_answers_survive_the_way(delivery):
    request = wire.Request(7, delivery(), b"data", 4)
    assert wire.decode_request(wire.encode(request)) == request
