"""A writer process gives up its rights for good."""

from __future__ import annotations

import os

import msgspec
import pytest

from postroad.base.clock import TestClock
from postroad.delivery.mailbox import owner, wire
from postroad.delivery.mailbox.bounds import Bounds

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


BODY = b"a: b\r\n\r\nx\r\n"


def batch_of(*deliveries, maildir=True, size=None, plain=True):
    size = size or len(BODY)
    requests = [msgspec.Raw(wire.encode(wire.Request(each, size, plain))) for each in deliveries]
    return wire.Batch(3, os.geteuid(), os.getegid(), maildir, requests)


@pytest.fixture
def contents():
    made = []

    def put(*texts):
        made.append(wire.memory())
        wire.put(made[-1], texts)
        return made[-1]

    yield put
    wire.close_all(made)


@pytest.fixture
def bounds(base):
    # A test's user may be root, which the real helper refuses to write for.
    bounds = Bounds((os.fsencode(base),), 1)
    object.__setattr__(bounds, "owner_complaint", lambda uid, gid: "")
    return bounds


@pytest.fixture
def writer(bounds):
    made = owner.Writer(bounds, TestClock())
    yield made
    made.rest()


def test_each_of_a_batch_has_its_own_content_and_result(writer, delivery, base, contents):
    batch = batch_of(*map(delivery, ("a/", "../x/", "b/", "a/")), size=5)
    results = writer.write(batch, contents(b"0th\r\n", b"1st\r\n", b"2nd\r\n", b"3rd\r\n"))
    assert [result.status for result in results] == ["2.0.0", "4.3.5", "2.0.0", "2.0.0"]
    assert results[1].text == "mailbox delivery refused: the path has .. in it"
    texts = {name: {file.read_bytes()[-4:] for file in (base / name / "new").iterdir()} for name in "ab"}
    assert texts == {"a": {b"0th\n", b"3rd\n"}, "b": {b"2nd\n"}}


def test_contents_that_are_too_short_are_deferred(writer, delivery, contents):
    results = writer.write(batch_of(delivery(), delivery()), contents(BODY, b"half"))
    assert [result.status for result in results] == ["2.0.0", "4.3.0"]
    assert results[1].text == "maildir delivery failed: content is shorter than it should be"


@pytest.mark.parametrize(("plain", "text"), [(True, b"a\nb\n"), (False, b"a\nb\n")])
def test_line_ends_become_those_of_files(writer, delivery, base, contents, plain, text):
    writer.write(batch_of(delivery("a/"), size=6, plain=plain), contents(b"a\r\nb\r\n"))
    (file,) = (base / "a/new").iterdir()
    assert file.read_bytes().endswith(text)


def test_a_carriage_return_within_a_line_stays(writer, delivery, base, contents):
    writer.write(batch_of(delivery("a/"), size=5, plain=False), contents(b"a\rb\r\n"))
    (file,) = (base / "a/new").iterdir()
    assert file.read_bytes().endswith(b"a\rb\n")


def test_mboxes_are_written_one_after_the_other(writer, delivery, base, contents):
    batch = batch_of(delivery("m"), delivery("m"), maildir=False)
    assert {result.status for result in writer.write(batch, contents(BODY, BODY))} == {"2.0.0"}
    assert (base / "m").read_bytes().count(b"a: b\n\nx\n\n") == 2


def test_a_mailbox_of_somebody_else_is_refused(writer, delivery, contents):
    (result,) = writer.write(batch_of(delivery(uid=os.geteuid() + 1)), contents(BODY))
    assert (result.status, result.text) == ("4.3.5", "mailbox delivery refused: another owner's mailbox")


def test_what_is_open_is_closed_at_rest(writer, delivery, contents):
    fd = contents(BODY)
    before = len(os.listdir("/proc/self/fd"))
    writer.write(batch_of(delivery()), fd)
    assert len(os.listdir("/proc/self/fd")) == before + 2
    writer.rest()
    assert len(os.listdir("/proc/self/fd")) == before


def test_it_answers_each_batch_until_its_end_is_closed(delivery, base, bounds, contents):
    ours, theirs = wire.pair()
    child = os.fork()
    if child == 0:
        ours.close()
        owner.work(theirs, bounds, TestClock())
        os._exit(0)
    theirs.close()
    for paths in (("a/", "a/"), ("../x/", "b/")):
        wire.send(ours, wire.encode(batch_of(*map(delivery, paths))), contents(BODY, BODY))
    heard = [wire.decode_answer(wire.receive(ours)[0]) for _ in range(2)]
    ours.close()
    assert os.waitpid(child, 0)[1] == 0
    assert [(count, result.status) for answer in heard for count, result in answer.runs] == [
        (2, "2.0.0"),
        (1, "4.3.5"),
        (1, "2.0.0"),
    ]
    assert len(list((base / "a/new").iterdir())) == 2
