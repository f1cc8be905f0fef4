"""Packets between worker and helper."""

from __future__ import annotations

import array
import os
import socket

import msgspec
import pytest

from postroad.base.errors import StoreUnavailable
from postroad.delivery.mailbox import wire
from postroad.delivery.mailbox.request import Result


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
    assert (packet, b"".join(wire.FileContent(fd, 0, 7).pieces(3))) == (b"one", b"content")
    wire.close_all([fd, -1])


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
    fd = os.open(tmp_path / "f", os.O_RDONLY)
    for content in (wire.FileContent(fd, 5, 100), wire.content_at(fd, 5, 3)):
        with pytest.raises(StoreUnavailable, match="shorter"):
            list(content.pieces())
    os.close(fd)
    for content in (wire.FileContent(fd, 0, 1), wire.content_at(fd, 0, 1)):
        with pytest.raises(StoreUnavailable, match="cannot be read"):
            list(content.pieces())


def test_contents_lie_one_behind_the_other_and_small_ones_are_read_at_once():
    fd = wire.memory()
    wire.put(fd, [b"left from before", b"and more"])
    wire.put(fd, [b"one", b"", b"x" * 70_000])
    one, none, large = (
        wire.content_at(fd, 0, 3, plain=True),
        wire.content_at(fd, 3, 0),
        wire.content_at(fd, 3, 70_000),
    )
    assert (one.data, one.plain, none.data) == (b"one", True, b"")
    assert (large.data, b"".join(large.pieces())) == (None, b"x" * 70_000)
    os.close(fd)
    wire.put(-1, [])


def test_memory_that_takes_no_more_is_an_error(monkeypatch):
    monkeypatch.setattr(os, "pwritev", lambda fd, contents, at: 2)
    with pytest.raises(OSError, match="Cannot allocate memory"):
        wire.put(-1, [b"one"])


def test_requests_and_answers_survive_the_way(delivery):
    request = wire.Request(delivery(), 4, plain=True)
    batch = wire.Batch(7, 1, 2, True, [msgspec.Raw(wire.encode(request))] * 2)
    there = wire.decode_batch(wire.encode(batch))
    assert (there.number, there.uid, there.gid, there.maildir) == (7, 1, 2, True)
    assert [wire.decode_request(raw) for raw in there.requests] == [request] * 2
    answer = wire.Answer(7, [(2, Result("2.0.0", "x", ("y",)))])
    assert wire.decode_answer(wire.encode(answer)) == answer
    assert answer.count == 2


def test_a_batch_of_nothing_is_nonsense():
    with pytest.raises(msgspec.ValidationError):
        wire.decode_batch(wire.encode(wire.Batch(7, 1, 2, True, [])))


def test_equal_results_are_said_once():
    good, bad = Result("2.0.0", "good"), Result("4.2.0", "bad")
    assert list(wire.answers_of(1, [good] * 64)) == [wire.Answer(1, [(64, good)])]
    assert list(wire.answers_of(1, [good, good, bad, good])) == [
        wire.Answer(1, [(2, good), (1, bad), (1, good)])
    ]


def test_many_different_results_are_more_than_one_answer_and_each_fits(ends):
    results = [Result("4.2.0", "x" * 8000 + str(n), ("y" * 8000,)) for n in range(10)]
    heard = []
    for answer in wire.answers_of(1, results):
        wire.send(ends[0], wire.encode(answer))
        heard += wire.decode_answer(wire.receive(ends[1])[0]).runs
    assert heard == [(1, result) for result in results]
