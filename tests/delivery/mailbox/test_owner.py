"""A writer process gives up its rights for good."""

from __future__ import annotations

import os

import pytest

from postroad.base.clock import TestClock
from postroad.delivery.mailbox import owner, wire

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can take other users' rights")


def in_child(work):
    """Return the exit code of a child that does the work; 99 for an exception."""
    child = os.fork()
    if child == 0:
        code = 99
        try:
            code = work()
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@needs_root
def test_nothing_is_left_of_root():
    def work():
        owner.become(5000, 6000)
        try:
            os.setuid(0)
        except PermissionError:
            pass
        else:
            return 1
        ids = (os.getresuid(), os.getresgid(), os.getgroups())
        return 0 if ids == ((5000,) * 3, (6000,) * 3, []) else 2

    assert in_child(work) == 0


@needs_root
def test_it_never_works_as_root():
    assert in_child(lambda: owner.become(0, 0) or 0) == 70


def test_what_has_gathered_is_one_batch_and_each_is_answered(delivery, base):
    ours, theirs = wire.pair()
    for number, path in enumerate(["a/", "b", "a/", "../x/"]):
        wire.send(ours, wire.encode(wire.Request(number, delivery(path), b"x\r\n", 3)))

    def work():
        ours.close()
        owner.work(theirs, TestClock())
        return 0

    child = os.fork()
    if child == 0:
        os._exit(work())
    theirs.close()
    answers = [wire.decode_answer(wire.receive(ours)[0]) for _ in range(4)]
    ours.close()
    assert os.waitpid(child, 0)[1] == 0
    assert {answer.number: answer.result.status for answer in answers} == {
        0: "2.0.0",
        1: "2.0.0",
        2: "2.0.0",
        3: "4.3.5",
    }
    assert len(list((base / "a/new").iterdir())) == 2
